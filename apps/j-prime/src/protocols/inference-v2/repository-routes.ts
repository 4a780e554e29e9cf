// What is in memory, and putting it there and away by hand: load wakes a parked model, unload parks it. A parked model comes
// back by itself when somebody asks for it, after a restart, and with the next version that is routed.
import { CodedError, type ModelType, type ServedVersionState } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import { z } from 'zod';
import type { Fleet } from '../../models/fleet.ts';
import { type IndexEntry, indexRequestSchema, indexSchema } from './messages.ts';
import { checkVersion, modelNamed, notReady } from './versions.ts';

const STATES = {
  absent: 'UNAVAILABLE',
  loading: 'LOADING',
  warming: 'LOADING',
  ready: 'READY',
  draining: 'UNLOADING',
  broken: 'UNAVAILABLE',
} as const satisfies Record<ServedVersionState, IndexEntry['state']>;

export function addRepositoryRoutes(scope: HttpServer, fleet: Fleet): void {
  const response = { 200: indexSchema };
  const summary = 'The versions that are in memory, or parked';
  scope.post(
    '/v2/repository/index',
    { schema: { summary, body: indexRequestSchema, response } },
    async (req) => indexOf(fleet).filter(({ state }) => req.body?.ready !== true || state === 'READY'),
  );
  // The protocol has it as a POST; a GET is what a person tries.
  scope.get('/v2/repository/index', { schema: { summary, response } }, async () => indexOf(fleet));
  for (const [action, what, act] of [
    ['load', 'Bring a model back into memory', load],
    ['unload', 'Give its memory back, until somebody asks for it', unload],
  ] as const)
    scope.post(
      `/v2/repository/models/:model/${action}`,
      {
        schema: {
          summary: what,
          params: z.object({ model: z.string() }),
          // What clients say about files and configuration does not apply: both come with the version.
          body: z.looseObject({}).nullish(),
          response: { 200: z.object({}) },
        },
      },
      async (req) => {
        const { kind } = modelNamed(req.params.model);
        checkVersion(fleet, kind, undefined);
        await act(fleet, kind);
        return {};
      },
    );
}

function indexOf(fleet: Fleet): IndexEntry[] {
  const listed = fleet.list().map(({ served }) => ({
    name: served.name.modelType,
    version: served.name.version,
    state: STATES[served.state],
    reason: served.detail,
  }));
  const isListed = ([name, version]: [string, string]): boolean =>
    listed.some((entry) => entry.name === name && entry.version === version);
  const parked = Object.entries(fleet.deployed())
    .filter((deployed) => !isListed(deployed))
    .map(([name, version]) => ({
      name,
      version,
      state: STATES.absent,
      reason: 'parked: the next request for it loads it',
    }));
  return [...listed, ...parked];
}

async function load(fleet: Fleet, kind: ModelType): Promise<void> {
  const serving = fleet.serving(kind) ?? (await fleet.wake(kind));
  if (serving === undefined) throw notReady(`${kind} could not be loaded; the log of J-Prime has the cause`);
}

async function unload(fleet: Fleet, kind: ModelType): Promise<void> {
  const serving = fleet.serving(kind);
  if (serving === undefined && fleet.deployed()[kind] === undefined)
    throw notReady(`${kind} is being loaded: try again`);
  if (serving !== undefined && !fleet.parkable().includes(serving.stable))
    throw new CodedError(
      'illegal_transition',
      `${kind} stays: it is in a rollout, or this version stands in for one that is not ready`,
    );
  for (const served of fleet.previous())
    if (served.name.modelType === kind) await fleet.unloadPrevious(served);
  if (serving !== undefined) await fleet.park(serving.stable);
}
