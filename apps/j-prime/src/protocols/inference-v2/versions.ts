// Models and versions as the protocol names them: a kind, and a version in memory by its name or by an alias that follows
// from the routes. A version that is parked is loaded by a request for it, as everywhere.
import { CodedError, type KeptAlias, type ModelType, modelTypeSchema } from '@jarvis/contracts';
import { type TensorSignature, tensorsOf } from '@jarvis/model-kinds';
import type { Fleet } from '../../models/fleet.ts';
import type { ServedVersion } from '../../models/served-version.ts';

const RETRY_AFTER_SECONDS = 1;

/** As it stands in the path of a call. */
export interface NamedVersion {
  readonly model: string;
  readonly version?: string | undefined;
}

export interface AskedModel {
  readonly kind: ModelType;
  readonly signature: TensorSignature;
}

/** @throws {CodedError} `not_found` */
export function modelNamed(name: string): AskedModel {
  const kind = modelTypeSchema.safeParse(name).data;
  const signature = kind === undefined ? undefined : tensorsOf(kind);
  if (kind !== undefined && signature !== undefined) return { kind, signature };
  throw new CodedError('not_found', `there is no model "${name}" here`);
}

type Finder = (fleet: Fleet, kind: ModelType) => ServedVersion | undefined;
const stable: Finder = (fleet, kind) => fleet.serving(kind)?.stable;
const candidate: Finder = (fleet, kind) =>
  fleet.list().find(({ served, role }) => role === 'candidate' && served.name.modelType === kind)?.served;
const previous: Finder = (fleet, kind) => fleet.previous().find(({ name }) => name.modelType === kind);

/** As the registry keeps them; those that people set there are not known here. */
const ALIASES: ReadonlyMap<string, Finder> = new Map<KeptAlias, Finder>([
  ['stable', stable],
  ['champion', stable],
  ['candidate', candidate],
  ['challenger', candidate],
  ['previous', previous],
]);

/** Versions in memory, or parked: the names that may be asked for. */
export function versionsOf(fleet: Fleet, kind: ModelType): string[] {
  const listed = fleet.list().map(({ served }) => served.name);
  const names = listed.filter((name) => name.modelType === kind).map((name) => name.version);
  const deployed = fleet.deployed()[kind];
  return [...new Set(deployed === undefined ? names : [deployed, ...names])];
}

/** Whether it is in memory and answers. A look: it wakes nobody. */
export function isReady(fleet: Fleet, kind: ModelType, version: string | undefined): boolean {
  if (version === undefined) return fleet.serving(kind) !== undefined;
  return lookUp(fleet, kind, version)?.state === 'ready';
}

/** @throws {CodedError} `not_found` when the model has no such version here, `no_version` when it has none at all yet */
export function checkVersion(fleet: Fleet, kind: ModelType, version: string | undefined): void {
  const known = versionsOf(fleet, kind);
  if (known.length === 0) throw notReady(`no version of ${kind} is served yet: try again`);
  if (version === undefined || known.includes(version) || isStable(version)) return;
  if (lookUp(fleet, kind, version) !== undefined) return;
  throw new CodedError('not_found', `${kind} has no version "${version}" here; it has ${known.join(', ')}`);
}

/** The version, ready to answer. @throws {CodedError} `not_found`, `no_version` */
export async function readyVersion(fleet: Fleet, kind: ModelType, version: string): Promise<ServedVersion> {
  checkVersion(fleet, kind, version);
  const isOfDeployed = isStable(version) || fleet.deployed()[kind] === version;
  if (isOfDeployed && fleet.serving(kind) === undefined) await fleet.wake(kind);
  const served = lookUp(fleet, kind, version);
  if (served?.state === 'ready') return served;
  throw notReady(`${kind} ${version} is ${served?.state ?? 'absent'}: ${served?.detail || 'try again'}`);
}

export function notReady(message: string): CodedError {
  return new CodedError('no_version', message, { retry_after_seconds: RETRY_AFTER_SECONDS });
}

function isStable(version: string): boolean {
  return ALIASES.get(version) === stable;
}

/** Two versions of one name may be there for a while, when Reactor Core was set up anew: the one that is ready goes first. */
function lookUp(fleet: Fleet, kind: ModelType, version: string): ServedVersion | undefined {
  const alias = ALIASES.get(version);
  if (alias !== undefined) return alias(fleet, kind);
  const named = fleet
    .list()
    .map(({ served }) => served)
    .filter(({ name }) => name.modelType === kind && name.version === version);
  return named.find(({ state }) => state === 'ready') ?? named[0];
}
