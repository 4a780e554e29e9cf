// HTTP of the breakers: which model types are held back because their jobs fail, and letting them go by hand.
import { breakerSchema, breakersSchema, CodedError, modelTypeSchema } from '@jarvis/contracts';
import type { Coordinator } from '@jarvis/coordinator';
import type { BreakerRules, BreakerView } from '@jarvis/policy';
import type { Clock, HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { breakerOf, listBreakers } from '../store/breakers.ts';

export interface BreakerRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly coordinator: Coordinator;
  readonly rules: BreakerRules;
}

export function addBreakerRoutes(server: HttpServer, options: BreakerRoutesOptions): void {
  const { db, clock, coordinator, rules } = options;
  server.get(
    '/api/breakers',
    {
      schema: {
        summary: 'Model types whose jobs failed, or whose candidates were rolled back, one after the other',
        response: { 200: breakersSchema },
      },
    },
    async () => {
      const breakers = await listBreakers(db);
      return { breakers: breakers.map((b) => breakerOf(b, clock.now(), rules)) };
    },
  );
  server.post(
    '/api/breakers/:model_type/reset',
    {
      schema: {
        summary: 'Forget the failures of a model type: its jobs go again',
        params: z.object({ model_type: modelTypeSchema }),
        response: { 200: breakerSchema },
      },
    },
    async (req) => {
      const { model_type: modelType } = req.params;
      if (!(await coordinator.resetBreaker(modelType)))
        throw new CodedError(
          'not_found',
          `nothing holds the training of ${modelType} back: no job of it has failed since the last that completed`,
        );
      const closed: BreakerView = {
        modelType,
        cause: 'failed_jobs',
        failures: 0,
        openUntilMs: null,
        lastError: '',
      };
      return breakerOf(closed, clock.now(), rules);
    },
  );
}
