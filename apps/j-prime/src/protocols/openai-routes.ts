// OpenAI's calls, passed on to the LLM server as they come: nothing of them is read here.
import { CodedError } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import type { PassThrough } from '../llm/pass-through.ts';
import type { LlmServer } from '../llm/server.ts';

const CALLS = [
  ['/v1/chat/completions', 'A chat, answered as a whole or as a stream of its pieces'],
  ['/v1/completions', 'A text continued'],
  ['/v1/embeddings', 'Texts as vectors'],
] as const;

export interface Llm {
  readonly server: LlmServer;
  readonly passThrough: PassThrough;
}

export async function addOpenAiRoutes(server: HttpServer, llm: Llm | null): Promise<void> {
  await server.register(async (scope) => {
    // In a scope of its own: here a body is not parsed, but left where it is.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', (_req, payload, done) => done(null, payload));
    for (const [path, summary] of CALLS)
      scope.post(path, { schema: { summary } }, (req, reply) => configured(llm).passThrough.pass(req, reply));
    scope.get('/v1/models', { schema: { summary: 'The models of the LLM server' } }, async (req, reply) => {
      const { server: llmServer, passThrough } = configured(llm);
      // Whoever only looks wakes nobody.
      if (llmServer.life.state !== 'ready') return lastKnown(llmServer);
      return passThrough.pass(req, reply);
    });
  });
}

function configured(llm: Llm | null): Llm {
  if (llm !== null) return llm;
  throw new CodedError(
    'not_found',
    'no LLM server is configured: set JPRIME_LLM_URL for one that is there, or JPRIME_LLM_MODEL or JPRIME_LLM_COMMAND for one that J-Prime runs',
  );
}

function lastKnown({ lastLook, engine }: LlmServer): unknown {
  const data = lastLook.models.map((id) => ({ id, object: 'model', created: 0, owned_by: engine.name }));
  return { object: 'list', data };
}
