// Which kind of server answers, from calls that only read. Who imitates others comes before those: LocalAI speaks as Ollama
// and as OpenAI, llama-swap stands in front of llama-server and vLLM; a path that is unknown may still be answered with 200,
// so that it is always what is said that counts.
import { LLM_SERVER_KINDS, type LlmServerKind } from '@jarvis/contracts';
import { z } from 'zod';
import type { EngineState } from '../engine.ts';
import type { CallFailed, Calls } from './calls.ts';
import { propsSchema } from './servers/llama-server.ts';
import { runningSchema } from './servers/llama-swap.ts';
import { lmModelsSchema } from './servers/lm-studio.ts';
import { systemSchema } from './servers/localai.ts';
import { psSchema } from './servers/ollama.ts';
import { modelListSchema } from './servers/openai-models.ts';

export type Guess =
  | { readonly kind: LlmServerKind }
  | { readonly kind: null; readonly state: EngineState; readonly why: string };

const versionSchema = z.object({ version: z.string() });
const ofVllmSchema = modelListSchema.refine(({ data }) => data.some(({ owned_by }) => owned_by === 'vllm'));

/** In this order; all paths of a kind have to fit. */
const SIGNS: readonly (readonly [LlmServerKind, Readonly<Record<string, z.ZodType>>])[] = [
  ['llama-swap', { '/running': runningSchema }],
  ['localai', { '/system': systemSchema }],
  ['lm-studio', { '/api/v1/models': lmModelsSchema }],
  ['ollama', { '/api/ps': psSchema, '/api/version': versionSchema }],
  ['vllm', { '/version': versionSchema, '/v1/models': ofVllmSchema }],
  ['llama-server', { '/props': propsSchema }],
];
/** What a server says to all questions while it loads its model. */
const LOADING_STATUS = 503;

/** Never throws. */
export async function guessKind(calls: Calls, signal: AbortSignal): Promise<Guess> {
  for (const [kind, paths] of SIGNS)
    try {
      for (const [path, schema] of Object.entries(paths)) await calls.look(path, schema, signal);
      return { kind };
    } catch (error) {
      const unknown = unknownBecause(calls.baseUrl, error as CallFailed);
      if (unknown !== null) return unknown;
    }
  const kinds = LLM_SERVER_KINDS.join(', ');
  return {
    kind: null,
    state: 'broken',
    why: `what answers at ${calls.baseUrl} is none of ${kinds}: JPRIME_LLM_KIND says which it is, JPRIME_LLM_URL where`,
  };
}

/** null: it is not of that kind. */
function unknownBecause(baseUrl: string, error: CallFailed): Guess | null {
  const { kind, status, message } = error;
  if (kind === 'silent' || kind === 'late' || kind === 'called off')
    return { kind: null, state: 'away', why: `nobody answers at ${baseUrl} yet (${message})` };
  if (kind === 'denied')
    return { kind: null, state: 'broken', why: `${message}; JPRIME_LLM_API_KEY is the key that is sent` };
  return status === LOADING_STATUS ? { kind: null, state: 'loading', why: message } : null;
}
