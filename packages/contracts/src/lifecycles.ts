// Every lifecycle is one table, state -> states it may go to. The guards of the SQL statements, the API, the buttons
// and the diagrams in docs/lifecycles.md are made from these tables and from nothing else.

type Lifecycle<State extends string> = Readonly<Record<State, readonly State[]>>;

export const JOB_STATES = [
  'queued',
  'waiting_for_memory',
  'starting',
  'training',
  'preempting',
  'completed',
  'failed',
  'cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];
export const JOB_LIFECYCLE = {
  queued: ['waiting_for_memory', 'cancelled'],
  waiting_for_memory: ['starting', 'queued', 'cancelled'],
  starting: ['training', 'queued', 'failed', 'cancelled'],
  training: ['completed', 'failed', 'cancelled', 'preempting', 'queued'],
  preempting: ['queued', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
} as const satisfies Lifecycle<JobState>;

export const RUN_STATES = [
  'accepted',
  'running',
  'completed',
  'failed',
  'cancelled',
  'preempted',
  'lost',
] as const;
export type RunState = (typeof RUN_STATES)[number];
/** One run is one (job_id, attempt). `preempted` and `lost` end the attempt, not the job. */
export const RUN_LIFECYCLE = {
  accepted: ['running', 'failed', 'cancelled', 'lost'],
  running: ['completed', 'failed', 'cancelled', 'preempted', 'lost'],
  completed: [],
  failed: [],
  cancelled: [],
  preempted: [],
  lost: [],
} as const satisfies Lifecycle<RunState>;

export const LOCK_STATES = ['free', 'held'] as const;
export type LockState = (typeof LOCK_STATES)[number];
export const LOCK_LIFECYCLE = { free: ['held'], held: ['free'] } as const satisfies Lifecycle<LockState>;

export const LEASE_STATES = [
  'requested',
  'draining',
  'granted',
  'expired_unconfirmed',
  'refused',
  'released',
] as const;
export type LeaseState = (typeof LEASE_STATES)[number];
export const LEASE_LIFECYCLE = {
  requested: ['draining', 'granted', 'refused', 'released'],
  draining: ['granted', 'refused', 'released'],
  granted: ['released', 'expired_unconfirmed'],
  expired_unconfirmed: ['released'],
  refused: [],
  released: [],
} as const satisfies Lifecycle<LeaseState>;

export const DEPLOYMENT_STATES = [
  'gating',
  'rolling',
  'holding',
  'paused',
  'promoted',
  'rolled_back',
  'superseded',
  'aborted',
  'rejected',
] as const;
export type DeploymentState = (typeof DEPLOYMENT_STATES)[number];
export const DEPLOYMENT_LIFECYCLE = {
  gating: ['rolling', 'promoted', 'rejected', 'superseded', 'aborted'],
  rolling: ['holding', 'paused', 'promoted', 'rolled_back', 'superseded', 'aborted'],
  holding: ['rolling', 'paused', 'promoted', 'rolled_back', 'superseded', 'aborted'],
  paused: ['rolling', 'promoted', 'rolled_back', 'superseded', 'aborted'],
  promoted: [],
  rolled_back: [],
  superseded: [],
  aborted: [],
  rejected: [],
} as const satisfies Lifecycle<DeploymentState>;

export const SERVED_VERSION_STATES = ['absent', 'loading', 'warming', 'ready', 'draining', 'broken'] as const;
export type ServedVersionState = (typeof SERVED_VERSION_STATES)[number];
export const SERVED_VERSION_LIFECYCLE = {
  absent: ['loading'],
  loading: ['warming', 'broken'],
  warming: ['ready', 'broken'],
  ready: ['draining', 'broken'],
  draining: ['absent'],
  broken: ['absent'],
} as const satisfies Lifecycle<ServedVersionState>;

export const LLM_STATES = ['absent', 'asking', 'loading', 'ready', 'draining', 'broken'] as const;
export type LlmState = (typeof LLM_STATES)[number];
/** The LLM server behind J-Prime. `absent`: nothing of it in memory that J-Prime would send a request to, asleep too. */
export const LLM_LIFECYCLE = {
  absent: ['asking', 'ready'],
  asking: ['loading', 'absent'],
  loading: ['ready', 'broken'],
  ready: ['draining', 'absent'],
  draining: ['absent', 'ready'],
  broken: ['absent'],
} as const satisfies Lifecycle<LlmState>;

export const SERVICE_STATES = [
  'absent',
  'starting',
  'healthy',
  'unhealthy',
  'restarting',
  'gave_up',
  'adopted',
] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];
export const SERVICE_LIFECYCLE = {
  absent: ['starting', 'adopted'],
  starting: ['healthy', 'restarting', 'gave_up', 'absent'],
  healthy: ['unhealthy', 'restarting', 'absent'],
  unhealthy: ['healthy', 'restarting', 'absent'],
  restarting: ['starting', 'gave_up', 'absent'],
  gave_up: ['starting', 'absent'],
  adopted: ['unhealthy', 'restarting', 'absent'],
} as const satisfies Lifecycle<ServiceState>;

export const LIFECYCLES = {
  job: JOB_LIFECYCLE,
  run: RUN_LIFECYCLE,
  'slot lock': LOCK_LIFECYCLE,
  'memory lease': LEASE_LIFECYCLE,
  deployment: DEPLOYMENT_LIFECYCLE,
  'served version': SERVED_VERSION_LIFECYCLE,
  'LLM server': LLM_LIFECYCLE,
  service: SERVICE_LIFECYCLE,
} as const;

/** Whether `table` has an edge from -> to. */
export function mayGo<S extends string>(table: Lifecycle<S>, from: S, to: S): boolean {
  return table[from].includes(to);
}

/** The states from which `to` may be reached: the guard of an UPDATE statement. */
export function sourcesOf<S extends string>(table: Lifecycle<S>, to: S): S[] {
  return (Object.keys(table) as S[]).filter((from) => table[from].includes(to));
}

/** Whether nothing follows this state. */
export function isTerminal<S extends string>(table: Lifecycle<S>, state: S): boolean {
  return table[state].length === 0;
}
