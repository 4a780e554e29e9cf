// HTTP of training: start, stream, status, cancel, preempt, the runs.
import {
  idSchema,
  runsQuerySchema,
  runsSchema,
  trainingCancelledSchema,
  trainingPreemptedSchema,
  trainingStartedSchema,
  trainingStartSchema,
  trainingStatusSchema,
} from '@jarvis/contracts';
import { clientGone, type HttpServer, lastEventId, sendSse } from '@jarvis/runtime';
import { z } from 'zod';
import type { Store } from '../store/open.ts';
import { mustKnowJob, readRuns, readStatus, readStream } from './queries.ts';
import type { Starting } from './starting.ts';
import type { Stopping } from './stopping.ts';

export interface TrainingRoutesOptions {
  readonly store: Store;
  readonly starting: Starting;
  readonly stopping: Stopping;
}

const params = z.object({ job_id: idSchema });
const TAGS = ['training'];

export function addTrainingRoutes(server: HttpServer, options: TrainingRoutesOptions): void {
  const { store, starting, stopping } = options;
  server.post(
    '/api/training/start',
    {
      schema: {
        tags: TAGS,
        summary: 'Start a training; the same job_id again gets the same answer',
        description:
          'With a fencing_token the caller holds slot and lease; without one they are taken from JARVIS Core. A higher token after a preempted or lost attempt starts the next one from the newest checkpoint. A token that was refused is spent: ask with a higher one, but with the same one after service_unavailable.',
        body: trainingStartSchema,
        response: { 200: trainingStartedSchema },
      },
    },
    (req) => starting.start(req.body),
  );
  server.get(
    '/api/training/stream/:job_id',
    {
      schema: {
        tags: TAGS,
        summary:
          'Events of a job over all its attempts (SSE: status, checkpoint, completed, failed, cancelled, preempted)',
        description: 'Goes on after Last-Event-ID; ends after completed, failed or cancelled.',
        params,
      },
    },
    async (req, reply) => {
      const jobId = req.params.job_id;
      const after = lastEventId(req);
      await mustKnowJob(store.db, jobId);
      await sendSse(reply, readStream(store, { jobId, after, signal: clientGone(reply) }));
    },
  );
  server.get(
    '/api/training/status/:job_id',
    {
      schema: { tags: TAGS, summary: 'Where a job is', params, response: { 200: trainingStatusSchema } },
    },
    (req) => readStatus(store.db, req.params.job_id),
  );
  server.get(
    '/api/training/jobs',
    {
      schema: {
        tags: TAGS,
        summary: 'Runs, the live ones first; with live=true no others',
        querystring: runsQuerySchema,
        response: { 200: runsSchema },
      },
    },
    async (req) => ({ runs: await readRuns(store.db, req.query.live === 'true') }),
  );
  addStopRoutes(server, stopping);
}

function addStopRoutes(server: HttpServer, stopping: Stopping): void {
  server.post(
    '/api/training/cancel/:job_id',
    {
      schema: {
        tags: TAGS,
        summary: 'End a job; answers once the exit of its trainer is confirmed',
        params,
        response: { 200: trainingCancelledSchema },
      },
    },
    async (req) => ({
      job_id: req.params.job_id,
      status: 'cancelled' as const,
      message: await stopping.cancel(req.params.job_id),
    }),
  );
  server.post(
    '/api/training/preempt/:job_id',
    {
      schema: {
        tags: TAGS,
        summary: 'Have the trainer of a job checkpoint and exit; the job goes on later',
        params,
        response: { 200: trainingPreemptedSchema },
      },
    },
    async (req) => ({
      job_id: req.params.job_id,
      status: 'preempted',
      message: await stopping.preempt(req.params.job_id),
    }),
  );
}
