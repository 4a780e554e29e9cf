// `POST /api/predict/{kind}`: the hot path. One schema in, one out, nothing logged.
import { modelTypeSchema, predictRequestSchema, predictResponseSchema } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Predictor } from '../routing/predictor.ts';

export function addPredictRoutes(server: HttpServer, predictor: Predictor): void {
  server.post(
    '/api/predict/:kind',
    {
      schema: {
        summary: 'Ask the version that this session meets',
        params: z.object({ kind: modelTypeSchema }),
        body: predictRequestSchema,
        response: { 200: predictResponseSchema },
      },
    },
    (req) =>
      predictor.predict({ kind: req.params.kind, input: req.body.input, sessionId: req.body.session_id }),
  );
}
