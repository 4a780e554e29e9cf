// What J-Prime holds in memory, and giving some of it away for a while.
import {
  BYTES_PER_GB,
  makeRoomRequestSchema,
  makeRoomSchema,
  type PrimeResources,
  primeResourcesSchema,
  restoreResponseSchema,
} from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Room } from '../leases/room.ts';
import type { LlmServer } from '../llm/server.ts';
import type { Fleet } from '../models/fleet.ts';
import type { Predictor } from '../routing/predictor.ts';

export interface MemoryRoutesOptions {
  readonly room: Room;
  readonly fleet: Fleet;
  readonly predictor: Predictor;
  /** null: none is configured. */
  readonly llm: LlmServer | null;
  /** With the LLM server. */
  readonly measureBytes: () => Promise<number>;
}

export function addMemoryRoutes(server: HttpServer, options: MemoryRoutesOptions): void {
  const { room } = options;
  server.get(
    '/api/resources',
    { schema: { summary: 'Memory and load, as measured', response: { 200: primeResourcesSchema } } },
    () => resourcesOf(options),
  );
  server.post(
    '/api/memory/make-room',
    {
      schema: {
        summary: 'Ask for memory back; the same request_id again tells how far it is',
        body: makeRoomRequestSchema,
        response: { 200: makeRoomSchema },
      },
    },
    (req) => room.make(req.body),
  );
  server.get(
    '/api/memory/make-room/:id',
    {
      schema: {
        summary: 'How far a request for room is',
        params: z.object({ id: z.string() }),
        response: { 200: makeRoomSchema },
      },
    },
    (req) => room.find(req.params.id),
  );
  server.post(
    '/api/memory/restore',
    {
      schema: {
        summary: 'The memory is free again: load what was unloaded for it',
        response: { 200: restoreResponseSchema },
      },
    },
    async () => ({ restored: await room.restore() }),
  );
}

async function resourcesOf(options: MemoryRoutesOptions): Promise<PrimeResources> {
  const { fleet, predictor, llm, measureBytes } = options;
  return {
    memory_usage_gb: (await measureBytes()) / BYTES_PER_GB,
    active_requests: predictor.running + (llm?.running ?? 0),
    idle_seconds: Math.min(predictor.idleMs(), llm?.idleMs() ?? Infinity) / 1000,
    models: fleet.list().map(({ served, role }) => ({
      model_type: served.name.modelType,
      version: served.name.version,
      state: served.state,
      role,
      requests: served.requests,
      failures: served.failures,
    })),
    llm: llm === null ? null : await llm.resources(),
  };
}
