// The invariants of Reactor Core (DESIGN.md, section 5) as far as they can be told from what is stored.
import {
  DEPLOYMENT_LIFECYCLE,
  type DeploymentState,
  type InvariantReport,
  isTerminal,
} from '@jarvis/contracts';
import { checkFile, type FileFacts } from './promised-file.ts';
import { type Broken, checkStream } from './stream-invariant.ts';

export interface ReactorFacts {
  readonly slotsAllowed: number;
  readonly liveRuns: readonly { readonly jobId: string; readonly slot: number; readonly token: number }[];
  /** The highest token that was taken for a slot. */
  readonly highestTokens: ReadonlyMap<number, number>;
  readonly jobs: readonly {
    readonly jobId: string;
    /** null while it goes on, or may. */
    readonly outcome: string | null;
    readonly modelVersion: string | null;
    /** Versions that were minted from it. */
    readonly versions: readonly string[];
    readonly events: number;
    readonly lastSeq: number;
    readonly ends: number;
    readonly endSeq: number;
  }[];
  readonly files: readonly FileFacts[];
  /** What was promoted and not taken back: champions, and what a rollback may go to. */
  readonly promoted: readonly {
    readonly kind: string;
    readonly version: string;
    readonly isKnown: boolean;
  }[];
  readonly deployments: readonly DeploymentFacts[];
  readonly notes: readonly string[];
}

export interface DeploymentFacts {
  readonly deploymentId: string;
  readonly kind: string;
  readonly version: string;
  readonly state: DeploymentState;
  readonly plannedPercents: readonly number[];
  readonly stepIndex: number;
  readonly history: readonly { readonly percent: number; readonly isOpen: boolean }[];
  readonly hasEnded: boolean;
  readonly wasPromoted: boolean;
}

const WITH_TRAFFIC: readonly DeploymentState[] = ['rolling', 'holding', 'paused'];

export function checkReactorInvariants(facts: ReactorFacts): InvariantReport {
  return {
    checked: ['I1', 'I4', 'I8', 'deployments'],
    broken: [
      ...runsOf(facts),
      ...facts.jobs.flatMap((job) => jobOf(job)),
      ...facts.files.flatMap((file) => checkFile(file)),
      ...promotedOf(facts),
      ...rolloutsOf(facts),
      ...facts.deployments.flatMap((deployment) => deploymentOf(deployment)),
    ],
    notes: [...facts.notes],
  };
}

function runsOf({ liveRuns, slotsAllowed, highestTokens }: ReactorFacts): Broken[] {
  const broken: Broken[] = [];
  const add = (message: string): void => void broken.push({ invariant: 'I1', message });
  const jobsOf = (runs: ReactorFacts['liveRuns']): string => runs.map((run) => run.jobId).join(', ');
  if (liveRuns.length > slotsAllowed)
    add(`${liveRuns.length} runs are live (of ${jobsOf(liveRuns)}), ${slotsAllowed} may be`);
  for (const [slot, runs] of Map.groupBy(liveRuns, (run) => run.slot)) {
    if (runs.length > 1) add(`${runs.length} live runs share slot ${slot} (of ${jobsOf(runs)})`);
    const highest = highestTokens.get(slot) ?? 0;
    for (const { jobId, token } of runs)
      if (token !== highest)
        add(`the live run of ${jobId} has token ${token} of slot ${slot}, whose highest is ${highest}`);
  }
  return broken;
}

function jobOf(job: ReactorFacts['jobs'][number]): Broken[] {
  const { jobId, outcome, modelVersion, versions } = job;
  const stream = { ...job, whose: `job ${jobId}`, state: outcome ?? 'open', ended: outcome !== null };
  const wanted = outcome === 'completed' ? [modelVersion] : [];
  if (versions.length === wanted.length && versions.every((version) => wanted.includes(version)))
    return checkStream(stream);
  const minted = versions.length === 0 ? 'no version' : versions.join(', ');
  const told = modelVersion === null ? '' : `, which should be ${modelVersion}`;
  return [
    ...checkStream(stream),
    { invariant: 'I4', message: `job ${jobId} is ${outcome ?? 'open'} and has ${minted}${told}` },
  ];
}

function promotedOf({ promoted }: ReactorFacts): Broken[] {
  return promoted
    .filter(({ isKnown }) => !isKnown)
    .map(({ kind, version }) => ({
      invariant: 'I8',
      message: `${kind} ${version} was promoted and is not in the registry`,
    }));
}

function rolloutsOf({ deployments }: ReactorFacts): Broken[] {
  const active = deployments.filter(({ state }) => WITH_TRAFFIC.includes(state));
  return [...Map.groupBy(active, ({ kind }) => kind)]
    .filter(([, rollouts]) => rollouts.length > 1)
    .map(([kind, rollouts]) => ({
      invariant: 'deployments',
      message: `${rollouts.length} rollouts of ${kind} are under way: ${rollouts.map((r) => r.deploymentId).join(', ')}`,
    }));
}

function deploymentOf(deployment: DeploymentFacts): Broken[] {
  const { deploymentId, state, plannedPercents, stepIndex, history, hasEnded, wasPromoted } = deployment;
  const problems: string[] = [];
  const isOver = isTerminal(DEPLOYMENT_LIFECYCLE, state);
  const gone = history.map((step) => step.percent);
  const planned = plannedPercents.slice(0, stepIndex + 1);
  const hasBegun = gone.length > 0;
  if (WITH_TRAFFIC.includes(state) && !hasBegun) problems.push('has no step');
  if (hasBegun && gone.join(' ') !== planned.join(' '))
    problems.push(`went ${gone.join(', ')} %, and its plan up to here is ${planned.join(', ')} %`);
  const open = history.filter((step) => step.isOpen).length;
  if (open !== (hasBegun && !isOver ? 1 : 0)) problems.push(`has ${open} open steps`);
  if (hasEnded !== isOver) problems.push(hasEnded ? 'has a time of its end' : 'has no time of its end');
  if (state === 'promoted' && !wasPromoted)
    problems.push(`promoted ${deployment.version}, of which there is no promotion`);
  return problems.map((problem) => ({
    invariant: 'deployments',
    message: `${deploymentId} is ${state} and ${problem}`,
  }));
}
