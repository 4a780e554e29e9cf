// HTTP of the queue: submit, list, look, follow, cancel.
import {
  CodedError,
  idSchema,
  isTerminal,
  JOB_LIFECYCLE,
  JOB_STATES,
  jobSchema,
  jobsSchema,
  jobSubmitSchema,
  jobSubmittedSchema,
  type JobState,
} from '@jarvis/contracts';
import type { Coordinator } from '@jarvis/coordinator';
import { clientGone, type HttpServer, lastEventId, sendSse, type SseMessage } from '@jarvis/runtime';
import type { Database, EventLog, StoredEvent } from '@jarvis/store';
import { z } from 'zod';
import { countTrainable } from '../store/experiences.ts';
import { findJob, JOB_LIST_MAX, jobStream, listJobs } from '../store/jobs.ts';

export interface JobRoutesOptions {
  readonly db: Database;
  readonly events: EventLog;
  readonly coordinator: Coordinator;
}

const idParams = z.object({ id: idSchema });

export function addJobRoutes(server: HttpServer, options: JobRoutesOptions): void {
  const { db, coordinator } = options;
  server.post(
    '/api/jobs',
    {
      schema: {
        summary: 'Ask for a training; joins an equal job that waits',
        body: jobSubmitSchema,
        response: { 200: jobSubmittedSchema },
      },
    },
    async (req) => {
      const { model_type } = req.body;
      if ((await countTrainable(db, model_type)) === 0)
        throw new CodedError(
          'dataset_empty',
          `no ${model_type} experience has an expected output yet: there is nothing to learn from`,
        );
      const { jobId, joined } = await coordinator.submit({ ...req.body, source: 'asked' });
      return { job: await mustFind(db, jobId), joined };
    },
  );
  server.get(
    '/api/jobs',
    {
      schema: {
        summary: 'Jobs, newest first',
        querystring: z.object({
          state: z.enum(JOB_STATES).optional(),
          limit: z.coerce.number().int().min(1).max(JOB_LIST_MAX).default(100),
        }),
        response: { 200: jobsSchema },
      },
    },
    async (req) => ({
      jobs: await listJobs(db, {
        limit: req.query.limit,
        ...(req.query.state === undefined ? {} : { state: req.query.state }),
      }),
    }),
  );
  server.get(
    '/api/jobs/:id',
    { schema: { summary: 'One job', params: idParams, response: { 200: jobSchema } } },
    (req) => mustFind(db, req.params.id),
  );
  server.post(
    '/api/jobs/:id/cancel',
    { schema: { summary: 'Cancel a job at any stage', params: idParams, response: { 200: jobSchema } } },
    async (req) => {
      await coordinator.cancel(req.params.id);
      return mustFind(db, req.params.id);
    },
  );
  server.get(
    '/api/jobs/:id/stream',
    { schema: { summary: 'Events of a job (SSE: state, progress)', params: idParams } },
    async (req, reply) => {
      await mustFind(db, req.params.id);
      await sendSse(reply, jobMessages(options.events, req.params.id, lastEventId(req), clientGone(reply)));
    },
  );
}

async function* jobMessages(
  events: EventLog,
  jobId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<SseMessage> {
  for await (const event of events.follow({ stream: jobStream(jobId), after, signal, isLast: isEnd })) {
    yield { id: String(event.seq), event: event.type, data: event.data };
  }
}

function isEnd(event: StoredEvent): boolean {
  return event.type === 'state' && isTerminal(JOB_LIFECYCLE, (event.data as { state: JobState }).state);
}

async function mustFind(db: Database, jobId: string): Promise<z.infer<typeof jobSchema>> {
  const job = await findJob(db, jobId);
  if (job === undefined) throw new CodedError('not_found', `there is no job ${jobId}`);
  return job;
}
