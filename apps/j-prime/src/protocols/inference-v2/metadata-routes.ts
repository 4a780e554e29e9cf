// Who is there and ready, and what a model takes and answers.
import { CodedError, type Identity } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Fleet } from '../../models/fleet.ts';
import { modelMetadataSchema, serverMetadataSchema } from './messages.ts';
import { checkVersion, isReady, modelNamed, type NamedVersion, notReady, versionsOf } from './versions.ts';

/** As the protocol calls a model that is an ONNX graph. */
const PLATFORM = 'onnx_onnxv1';
const EXTENSIONS = ['binary_tensor_data', 'model_repository'];

const liveSchema = z.object({ live: z.boolean() });
const serverReadySchema = z.object({ ready: z.boolean() });
const modelReadySchema = z.object({ name: z.string(), ready: z.literal(true) });

export interface MetadataRoutesOptions {
  readonly fleet: Fleet;
  readonly identity: Identity;
  /** Whether the versions that were known at start are still being loaded. */
  readonly isStarting: () => boolean;
}

export function addServerRoutes(scope: HttpServer, { identity, isStarting }: MetadataRoutesOptions): void {
  const metadata = {
    name: identity.service,
    version: `${identity.contract_version}.0.0`,
    extensions: EXTENSIONS,
  };
  scope.get(
    '/v2',
    { schema: { summary: 'Who answers, and what of the protocol', response: { 200: serverMetadataSchema } } },
    async () => metadata,
  );
  scope.get(
    '/v2/health/live',
    { schema: { summary: 'The server runs', response: { 200: liveSchema } } },
    async () => ({ live: true }),
  );
  scope.get(
    '/v2/health/ready',
    { schema: { summary: 'The server takes requests', response: { 200: serverReadySchema } } },
    async () => {
      if (isStarting())
        throw new CodedError('model_unavailable', 'the models are being loaded', { retry_after_seconds: 1 });
      return { ready: true };
    },
  );
}

export function addModelRoutes(scope: HttpServer, { fleet }: MetadataRoutesOptions): void {
  const ready = { summary: 'It is in memory and answers', response: { 200: modelReadySchema } };
  const metadata = { summary: 'What it takes and answers', response: { 200: modelMetadataSchema } };
  for (const [path, params] of [
    ['/v2/models/:model', z.object({ model: z.string() })],
    ['/v2/models/:model/versions/:version', z.object({ model: z.string(), version: z.string() })],
  ] as const) {
    scope.get(path, { schema: { ...metadata, params } }, async (req) => metadataOf(fleet, req.params));
    scope.get(`${path}/ready`, { schema: { ...ready, params } }, async (req) => {
      const { model, version }: NamedVersion = req.params;
      const { kind } = modelNamed(model);
      checkVersion(fleet, kind, version);
      if (!isReady(fleet, kind, version)) throw notReady(`${[kind, version].join(' ').trim()} is not ready`);
      return { name: model, ready: true as const };
    });
  }
}

function metadataOf(fleet: Fleet, { model, version }: NamedVersion): z.infer<typeof modelMetadataSchema> {
  const { kind, signature } = modelNamed(model);
  checkVersion(fleet, kind, version);
  const { inputs, outputs } = signature;
  const shown = (tensors: typeof inputs) =>
    tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] }));
  return {
    name: kind,
    versions: versionsOf(fleet, kind),
    platform: PLATFORM,
    inputs: shown(inputs),
    outputs: shown(outputs),
  };
}
