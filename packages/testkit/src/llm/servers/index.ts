// A fixture of each kind of model server that J-Prime can stand in front of, by its kind.
import { fileURLToPath } from 'node:url';
import { LlamaServer } from './llama-server.ts';
import { LlamaSwapServer } from './llama-swap.ts';
import { LmStudioServer } from './lm-studio.ts';
import { LocalAiServer } from './localai.ts';
import type { ModelServer, ModelServerOptions } from './model-server.ts';
import { OllamaServer } from './ollama.ts';
import { type VllmOptions, VllmServer } from './vllm.ts';

export { LlamaServer, LlamaSwapServer, LmStudioServer, LocalAiServer, OllamaServer, VllmServer };
export type { VllmOptions } from './vllm.ts';
export type { ModelServer, ModelServerOptions, ServerManner } from './model-server.ts';

/** `KIND OPTIONS`, as JSON; prints its address when it listens. */
export const MODEL_SERVER_PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

/** Those that can give memory back; a llama-server does so only as a router. */
export const MODEL_SERVERS = {
  ollama: (options) => new OllamaServer(options),
  'llama-swap': (options) => new LlamaSwapServer(options),
  vllm: (options?: VllmOptions) => new VllmServer(options),
  'llama-server': (options) => new LlamaServer({ ...options, isRouter: true }),
  'lm-studio': (options) => new LmStudioServer(options),
  localai: (options) => new LocalAiServer(options),
} as const satisfies Record<string, (options?: ModelServerOptions) => ModelServer>;
