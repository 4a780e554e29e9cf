// HTTP of deployments: deploy, roll back, look, act; evidence in; routes out.
import {
  type Deployment,
  deploymentSchema,
  deploymentsSchema,
  deployRequestSchema,
  deployResponseSchema,
  evidenceBatchSchema,
  evidenceReceiptSchema,
  rollbackRequestSchema,
  rollbackResponseSchema,
  ROLLOUT_ACTIONS,
  rolloutReportSchema,
  routesSchema,
} from '@jarvis/contracts';
import { pairsOfStep, readGuards, requestsOfStep } from '@jarvis/policy';
import { clientGone, type Clock, type HttpServer, isoOf, sendSse } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import {
  type DeploymentRow,
  gateOf,
  historyOf,
  judgeOf,
  listDeployments,
  percentOf,
} from '../store/deployments.ts';
import type { Deployments } from './deployments.ts';
import { mustFindDeployment } from './named-deployment.ts';
import { reportOf } from './report.ts';
import type { Routing } from './routing.ts';

const LIST_MAX = 200;
const TAGS = ['deployments'];
const params = z.object({ id: z.string().min(1).max(128) });

export interface DeploymentRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly deployments: Deployments;
  readonly routing: Routing;
}

export function addDeploymentRoutes(server: HttpServer, options: DeploymentRoutesOptions): void {
  const { db, clock, deployments } = options;
  const show = (row: DeploymentRow): Deployment => deploymentOf(row, clock.now());
  server.post(
    '/api/models/deploy',
    {
      schema: {
        tags: TAGS,
        summary: 'Roll a version out',
        body: deployRequestSchema,
        response: { 200: deployResponseSchema },
      },
    },
    async (req) => {
      const row = await deployments.deploy(req.body);
      return {
        deployment_id: row.deployment_id,
        model_version: row.model_version,
        status: 'deploying' as const,
        current_percentage: percentOf(row),
        message: row.reason,
      };
    },
  );
  server.post(
    '/api/models/rollback',
    {
      schema: {
        tags: TAGS,
        summary: 'Everybody back to stable, now',
        body: rollbackRequestSchema,
        response: { 200: rollbackResponseSchema },
      },
    },
    async (req) => {
      const { model_type, previous_version } = req.body;
      const to = await deployments.rollBack(model_type, previous_version);
      return { model_type, rolled_back_to: to, message: `${model_type} is served by ${to}` };
    },
  );
  server.get(
    '/api/deployments',
    { schema: { tags: TAGS, summary: 'Deployments, newest first', response: { 200: deploymentsSchema } } },
    async () => ({ deployments: (await listDeployments(db, LIST_MAX)).map(show) }),
  );
  server.get(
    '/api/deployments/:id',
    { schema: { tags: TAGS, summary: 'One deployment', params, response: { 200: deploymentSchema } } },
    async (req) => show(await mustFindDeployment(db, req.params.id)),
  );
  server.get(
    '/api/deployments/:id/report',
    {
      schema: {
        tags: TAGS,
        summary: 'What was compared, the evidence over time, why it ended',
        params,
        response: { 200: rolloutReportSchema },
      },
    },
    async (req) => {
      const row = await mustFindDeployment(db, req.params.id);
      return reportOf(db, { row, deployment: show(row), nowMs: clock.now() });
    },
  );
  for (const action of ROLLOUT_ACTIONS) {
    const schema = {
      tags: TAGS,
      summary: `${action} a rollout`,
      params,
      response: { 200: deploymentSchema },
    };
    server.post(`/api/deployments/:id/${action}`, { schema }, async (req) =>
      show(await deployments.act(req.params.id, action)),
    );
  }
  addEvidenceRoute(server, deployments);
  addRouteRoutes(server, options.routing);
}

function addEvidenceRoute(server: HttpServer, deployments: Deployments): void {
  server.post(
    '/api/evidence',
    {
      schema: {
        tags: TAGS,
        summary: 'Evidence for the judge; each piece counts once',
        body: evidenceBatchSchema,
        response: { 200: evidenceReceiptSchema },
      },
    },
    (req) => deployments.takeEvidence(req.body.evidence),
  );
}

function addRouteRoutes(server: HttpServer, routing: Routing): void {
  server.get(
    '/api/routes',
    { schema: { tags: TAGS, summary: 'Who serves each kind', response: { 200: routesSchema } } },
    () => routing.current(),
  );
  server.get(
    '/api/routes/stream',
    { schema: { tags: TAGS, summary: 'Routes (SSE: routes), a full snapshot first and with each change' } },
    (_req, reply) => sendSse(reply, routing.follow(clientGone(reply))),
  );
}

function deploymentOf(row: DeploymentRow, nowMs: number): Deployment {
  const judge = judgeOf(row);
  return {
    deployment_id: row.deployment_id,
    model_type: row.model_type,
    model_version: row.model_version,
    stable_version: row.stable_version,
    strategy: row.strategy,
    state: row.state,
    current_percentage: percentOf(row),
    reason: row.reason,
    steps: historyOf(row).map((step, i) => ({
      percent: step.percent,
      started_at: isoOf(step.startedMs),
      seconds: ((step.endedMs ?? nowMs) - step.startedMs) / 1000,
      requests: requestsOfStep(judge, i).candidate,
      pairs: pairsOfStep(judge, i),
    })),
    guards: readGuards(judge),
    gate: gateOf(row),
    created_at: row.created_at,
    ended_at: row.ended_at,
  };
}
