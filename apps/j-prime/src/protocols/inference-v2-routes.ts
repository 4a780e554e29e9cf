// The readiness half of the Open Inference Protocol v2, for probes and tools that speak it.
import { CodedError, modelTypeSchema } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Fleet } from '../models/fleet.ts';

const liveSchema = z.object({ live: z.boolean() });
const serverReadySchema = z.object({ ready: z.boolean() });
const modelReadySchema = z.object({ name: z.string(), ready: z.literal(true) });
const indexSchema = z.array(
  z.object({ name: z.string(), version: z.string(), state: z.string(), reason: z.string() }),
);

export function addInferenceV2Routes(server: HttpServer, fleet: Fleet, isStarting: () => boolean): void {
  server.get(
    '/v2/health/live',
    { schema: { summary: 'The server runs', response: { 200: liveSchema } } },
    async () => ({ live: true }),
  );
  server.get(
    '/v2/health/ready',
    { schema: { summary: 'The server takes requests', response: { 200: serverReadySchema } } },
    async () => {
      if (isStarting())
        throw new CodedError('model_unavailable', 'the models are being loaded', { retry_after_seconds: 1 });
      return { ready: true };
    },
  );
  server.get(
    '/v2/models/:model/ready',
    {
      schema: {
        summary: 'The model answers',
        params: z.object({ model: modelTypeSchema }),
        response: { 200: modelReadySchema },
      },
    },
    async ({ params }) => {
      if (fleet.serving(params.model) === undefined) throw notReady(params.model);
      return { name: params.model, ready: true as const };
    },
  );
  server.get(
    '/v2/models/:model/versions/:version/ready',
    {
      schema: {
        summary: 'This version is in memory and warm',
        params: z.object({ model: modelTypeSchema, version: z.string() }),
        response: { 200: modelReadySchema },
      },
    },
    async ({ params }) => {
      const { model, version } = params;
      const isReady = fleet
        .list()
        .some(
          ({ served: { name, state } }) =>
            name.modelType === model && name.version === version && state === 'ready',
        );
      if (!isReady) throw notReady(`${model} ${version}`);
      return { name: model, ready: true as const };
    },
  );
  const schema = { summary: 'The versions that are in memory', response: { 200: indexSchema } };
  server.get('/v2/repository/index', { schema }, async () => indexOf(fleet));
  // The protocol has it as a POST; a GET is what a person tries.
  server.post('/v2/repository/index', { schema }, async () => indexOf(fleet));
}

function indexOf(fleet: Fleet): z.infer<typeof indexSchema> {
  return fleet.list().map(({ served }) => ({
    name: served.name.modelType,
    version: served.name.version,
    state: served.state.toUpperCase(),
    reason: served.detail,
  }));
}

function notReady(what: string): CodedError {
  return new CodedError('no_version', `${what} is not ready`, { retry_after_seconds: 1 });
}
