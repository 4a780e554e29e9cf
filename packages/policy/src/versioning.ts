// The name of a new version, per kind of model: patch = the same model with other data, minor = another configuration,
// major = other labels, so that answers mean something else.
import { invariant, type ModelManifest } from '@jarvis/contracts';

export type VersionChange = 'data' | 'configuration' | 'labels';

const FIRST_VERSION = 'v0.1.0';
const VERSION = /^v(\d+)\.(\d+)\.(\d+)$/;

/** The version after `latest`; v0.1.0 when there is none. */
export function nextVersion(latest: string | null, change: VersionChange): string {
  if (latest === null) return FIRST_VERSION;
  const parts = VERSION.exec(latest);
  invariant(parts !== null, `${latest} is a version`);
  const [major, minor, patch] = parts.slice(1).map(Number) as [number, number, number];
  switch (change) {
    case 'labels':
      return `v${major + 1}.0.0`;
    case 'configuration':
      return `v${major}.${minor + 1}.0`;
    case 'data':
      return `v${major}.${minor}.${patch + 1}`;
  }
}

/** The largest thing that differs between two manifests of one kind. The order of labels or settings is no change. */
export function describeChange(
  parentManifest: Pick<ModelManifest, 'labels' | 'lineage'>,
  newManifest: Pick<ModelManifest, 'labels' | 'lineage'>,
): VersionChange {
  const before = new Set(parentManifest.labels);
  const after = new Set(newManifest.labels);
  if (before.symmetricDifference(after).size > 0) return 'labels';
  const sameConfig =
    canonicalJson(parentManifest.lineage.config) === canonicalJson(newManifest.lineage.config);
  return sameConfig ? 'data' : 'configuration';
}

/** The same text for the same JSON value, whatever the order of its keys. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${entries.join()}}`;
}
