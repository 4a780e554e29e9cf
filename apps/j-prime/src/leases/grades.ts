// What may be given, cheapest first: versions kept for a rollback, small models that are idle, then the LLM, by sleep, by
// unloading, by ending it. Under `training_first` the LLM goes even while it is in use; small models in use always stay.
import type { MakeRoom, ModelType, NegotiationPolicy } from '@jarvis/contracts';
import type { ReleaseWay } from '../llm/engine.ts';
import type { LlmServer } from '../llm/server.ts';
import type { Fleet } from '../models/fleet.ts';
import type { ServedVersion, VersionName } from '../models/served-version.ts';

type Step = MakeRoom['steps'][number];

export interface GradesOptions {
  readonly fleet: Fleet;
  /** null: none is configured. */
  readonly llm: LlmServer | null;
  /** Since when nobody has asked for this kind. */
  readonly idleMsOf: (kind: ModelType) => number;
  /** JPRIME_IDLE_SECONDS. */
  readonly idleAfterMs: number;
}

export interface Plan {
  readonly previous: readonly ServedVersion[];
  readonly idle: readonly ServedVersion[];
  /** Empty: the LLM stays. */
  readonly llm: readonly ReleaseWay[];
  readonly steps: readonly Step[];
  /** Why what stays stays, for a person. */
  readonly stays: string;
}

export async function planOf(options: GradesOptions, policy: NegotiationPolicy): Promise<Plan> {
  const { fleet, llm, idleMsOf, idleAfterMs } = options;
  const previous = fleet.previous();
  const idle = fleet.parkable().filter((served) => idleMsOf(served.name.modelType) >= idleAfterMs);
  const kept = llm === null ? null : llmStays(llm, policy, idleAfterMs);
  const ways = llm === null || kept !== null ? [] : llm.engine.ways;
  const llmBytes = ways.length === 0 ? 0 : ((await llm?.resources())?.measured_bytes ?? 0);
  const small = 'every small model in memory is routed and was asked for lately: it answers requests';
  return {
    previous,
    idle,
    llm: ways,
    steps: [
      ...previous.map((served) => unloading(served, 'which is kept for a rollback only')),
      ...idle.map((served) => unloading(served, 'which nobody asks for; the next request loads it again')),
      ...ways.map((way) => llmStep(way, llm?.engine.name ?? '', llmBytes)),
    ],
    stays: kept === null ? small : `${small}; ${kept}`,
  };
}

export function labelOf(name: VersionName): string {
  return `${name.modelType} ${name.version}`;
}

function llmStays(llm: LlmServer, policy: NegotiationPolicy, idleAfterMs: number): string | null {
  const { state, reason } = llm.life;
  if (state === 'absent' || state === 'broken') return `the LLM holds nothing: it is ${state}`;
  if (llm.engine.ways.length === 0)
    return `the LLM stays: ${llm.engine.cannot ?? 'it can give nothing back'}`;
  if (policy === 'training_first') return null;
  if (state !== 'ready') return `the LLM is ${state}: ${reason}`;
  return llm.idleMs() < idleAfterMs ? 'the LLM is in use' : null;
}

function unloading(served: ServedVersion, why: string): Step {
  return {
    what: `unload ${labelOf(served.name)}, ${why}`,
    frees_bytes: served.artifactBytes,
    state: 'planned',
  };
}

const WAY_IN_WORDS: Readonly<Record<ReleaseWay, string>> = {
  sleep: 'put the LLM to sleep',
  unload: 'unload the LLM',
  stop: 'stop the LLM server',
};

function llmStep(way: ReleaseWay, name: string, bytes: number): Step {
  return { what: `${WAY_IN_WORDS[way]} (${name})`, frees_bytes: bytes, state: 'planned' };
}
