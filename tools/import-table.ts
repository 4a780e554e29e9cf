// The import table of the house: which room may import which, and which libraries the pure rooms may use.
// Read by tools/check-rooms.ts, which turns it into rules.

/** A room is a workspace folder; what it may import besides itself. `npm` and `node` unset: whatever its package.json says. */
export interface Room {
  readonly folder: string;
  readonly rooms: readonly string[];
  /** Libraries from npm; unset: any. */
  readonly npm?: readonly string[];
  /** Whether it may import Node's own modules; unset: yes. */
  readonly node?: false;
}

const contracts = 'packages/contracts';
const policy = 'packages/policy';
const coordinator = 'packages/coordinator';
const store = 'packages/store';
const runtime = 'packages/runtime';
const processes = 'packages/process';
const modelKinds = 'packages/model-kinds';
const trainerKit = 'packages/trainer-kit';
const failpoints = 'packages/failpoints';
const testkit = 'packages/testkit';
const supervisor = 'apps/supervisor';

const underAService = [contracts, failpoints, policy, store, runtime, processes, modelKinds];

export const IMPORT_TABLE: readonly Room[] = [
  { folder: contracts, rooms: [], npm: ['zod'], node: false },
  { folder: policy, rooms: [contracts], npm: ['@noble/hashes'], node: false },
  { folder: coordinator, rooms: [contracts, policy], npm: [], node: false },
  { folder: failpoints, rooms: [], npm: ['zod'] },
  { folder: runtime, rooms: [contracts, failpoints, policy] },
  { folder: processes, rooms: [contracts, policy] },
  { folder: store, rooms: [contracts, failpoints, policy] },
  { folder: modelKinds, rooms: [contracts] },
  { folder: trainerKit, rooms: [contracts, failpoints, modelKinds] },
  { folder: 'apps/jarvis-core', rooms: [...underAService, coordinator] },
  { folder: 'apps/j-prime', rooms: underAService },
  { folder: 'apps/reactor-core', rooms: underAService },
  { folder: supervisor, rooms: [contracts, policy, runtime, processes] },
  // `jarvis up` and `jarvis demo` run the supervisor in their own process.
  { folder: 'apps/cli', rooms: [contracts, policy, runtime, processes, supervisor] },
  { folder: 'apps/dashboard', rooms: [contracts] },
  { folder: 'trainers/builtin', rooms: [contracts, modelKinds, trainerKit] },
  { folder: 'sim', rooms: [contracts, policy, coordinator, testkit] },
];

/** Where tests, fakes and measurements lie: they may import any room, by its root. */
export const FREE_FOLDERS = ['packages/testkit', 'bench', 'test', 'tools'] as const;

/** The files by which a room is entered from another. */
export const ROOT_EXPORT = '(packages|apps)/[^/]+/src/index\\.ts';
