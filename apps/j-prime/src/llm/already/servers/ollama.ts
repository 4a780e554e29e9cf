// Ollama. It loads by itself when it is asked something and unloads by itself after `keep_alive`. It says that it has
// unloaded before it has: only /api/ps tells. It counts no requests.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';

const bytes = z.number().nonnegative();
export const psSchema = z.object({
  models: z.array(z.object({ name: z.string(), size: bytes.default(0), size_vram: bytes.default(0) })),
});
const tagsSchema = z.object({ models: z.array(z.object({ name: z.string() })).nullable() });

export function createOllama({ calls, isMemoryUnified }: Ground): Adapter {
  return {
    kind: 'ollama',
    async look(signal): Promise<Sight> {
      const [{ models }, tags] = await Promise.all([
        calls.look('/api/ps', psSchema, signal),
        calls.look('/api/tags', tagsSchema, signal),
      ]);
      const loaded = models.map(({ name }) => name);
      const stated = models.reduce(
        (sum, { size, size_vram }) => sum + (isMemoryUnified ? size : Math.max(0, size - size_vram)),
        0,
      );
      return {
        state: loaded.length > 0 ? 'ready' : 'unloaded',
        listed: (tags.models ?? []).map(({ name }) => name),
        loaded,
        running: null,
        statedBytes: loaded.length > 0 ? stated : null,
        detail: loaded.length > 0 ? `has ${loaded.join(', ')} in memory` : 'has no model in memory',
        way: 'unload',
        cannot: null,
      };
    },
    async release({ loaded }, signal) {
      // Requests under way are waited for by Ollama itself.
      for (const model of loaded)
        await calls.act('POST', '/api/generate', signal, { model, keep_alive: 0, stream: false });
    },
    async bring(_, models, signal) {
      for (const model of models) await calls.act('POST', '/api/generate', signal, { model, stream: false });
    },
  };
}
