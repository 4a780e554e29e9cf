// HTTP of the experiences: batches in, counts out, frozen data sets by digest.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import {
  CodedError,
  experiencesRequestSchema,
  experiencesResponseSchema,
  experienceStatsSchema,
  idSchema,
  sha256Schema,
} from '@jarvis/contracts';
import type { Clock, HttpServer, Random } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { experienceStats, storeBatch } from '../store/experiences.ts';
import { datasetPath } from './dataset.ts';

export interface ExperienceRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly datasets: string;
}

export function addExperienceRoutes(server: HttpServer, options: ExperienceRoutesOptions): void {
  const { db, clock, random } = options;
  server.post(
    '/api/experiences',
    {
      schema: {
        summary: 'Store a batch of experiences, once for each Idempotency-Key',
        headers: z.object({ 'idempotency-key': idSchema.optional() }),
        body: experiencesRequestSchema,
        response: { 200: experiencesResponseSchema },
      },
    },
    (req) => {
      const batchId = req.headers['idempotency-key'] ?? random.id('batch');
      return db.transaction('core.experiences.store', (tx) =>
        storeBatch(tx, { batchId, source: 'api', experiences: req.body.experiences, nowMs: clock.now() }),
      );
    },
  );
  server.get(
    '/api/experiences/stats',
    {
      schema: {
        summary: 'How many there are, and how many are new',
        response: { 200: experienceStatsSchema },
      },
    },
    () => experienceStats(db),
  );
  server.get(
    '/api/datasets/:sha256',
    { schema: { summary: 'A frozen data set as NDJSON', params: z.object({ sha256: sha256Schema }) } },
    async (req, reply) => {
      const path = datasetPath(options.datasets, req.params.sha256);
      const found = await stat(path).catch(() => null);
      if (found === null) throw new CodedError('not_found', 'there is no data set with this digest');
      return reply
        .type('application/x-ndjson')
        .header('content-length', found.size)
        .send(createReadStream(path));
    },
  );
}
