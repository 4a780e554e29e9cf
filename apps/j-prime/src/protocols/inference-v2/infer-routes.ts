// Inference: tensors in, tensors out. Without a version the request goes the way of `/api/predict`, by its session; with one
// it is that version's, and no evidence in a rollout.
import { sessionIdSchema } from '@jarvis/contracts';
import type { Prediction } from '@jarvis/model-kinds';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Fleet } from '../../models/fleet.ts';
import type { Predictor } from '../../routing/predictor.ts';
import { BINARY_CONTENT_TYPE, binaryOf, HEADER_LENGTH } from './body.ts';
import {
  type InferRequest,
  inferRequestSchema,
  type InferResponse,
  inferResponseSchema,
} from './messages.ts';
import { readInputs } from './request-tensors.ts';
import { wantedOutputs, writeOutputs } from './response-tensors.ts';
import { type AskedModel, checkVersion, modelNamed, type NamedVersion, readyVersion } from './versions.ts';

export interface InferRoutesOptions {
  readonly fleet: Fleet;
  readonly predictor: Predictor;
}

interface Asked extends AskedModel {
  readonly version: string | undefined;
  readonly inputs: readonly Record<string, unknown>[];
}

interface Answered {
  readonly predictions: readonly Prediction[];
  readonly version: string;
}

export function addInferRoutes(scope: HttpServer, options: InferRoutesOptions): void {
  const schema = {
    summary: 'Tensors in, tensors out, as JSON or with binary data behind it',
    body: inferRequestSchema,
    response: { 200: inferResponseSchema },
  };
  for (const [path, params] of [
    ['/v2/models/:model/infer', z.object({ model: z.string() })],
    ['/v2/models/:model/versions/:version/infer', z.object({ model: z.string(), version: z.string() })],
  ] as const)
    scope.post(path, { schema: { ...schema, params } }, async (req, reply) => {
      const { json, binary } = await infer(options, req.params, req.body, binaryOf(req));
      if (binary === null) return json;
      const head = Buffer.from(JSON.stringify(json));
      return reply
        .header(HEADER_LENGTH, head.length)
        .type(BINARY_CONTENT_TYPE)
        .send(Buffer.concat([head, binary]) as never);
    });
}

async function infer(
  options: InferRoutesOptions,
  { model, version }: NamedVersion,
  request: InferRequest,
  bytes: Buffer,
): Promise<{ json: InferResponse; binary: Buffer | null }> {
  const asked = modelNamed(model);
  if (version !== undefined) checkVersion(options.fleet, asked.kind, version);
  const wanted = wantedOutputs(asked.signature, request);
  const inputs = readInputs(asked.signature, request.inputs, bytes);
  const answered = await predict(options, { ...asked, version, inputs }, sessionOf(request));
  const { outputs, binary } = writeOutputs(asked.signature, wanted, answered.predictions);
  const { id } = request;
  const json = {
    model_name: model,
    model_version: answered.version,
    ...(id === null || id === undefined ? {} : { id }),
    outputs,
  };
  return { json, binary };
}

function predict(
  { fleet, predictor }: InferRoutesOptions,
  { kind, version, inputs }: Asked,
  sessionId: string | undefined,
): Promise<Answered> {
  if (version === undefined) return predictor.predictAll({ kind, inputs, sessionId });
  return predictor.predictWith(() => readyVersion(fleet, kind, version), { kind, inputs });
}

/** An id that cannot be a session, such as an empty one, is none. */
function sessionOf({ id, parameters }: InferRequest): string | undefined {
  return parameters?.session_id ?? sessionIdSchema.safeParse(id).data;
}
