// Every metric of the catalogue is recorded or read somewhere: one that is not would be told without ever having a value.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { METRICS, type Metric } from '@jarvis/contracts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const metrics: [string, Metric][] = Object.entries(METRICS);

test('every metric is in the code', () => {
  const files = globSync(['apps/*/src/**/*.ts', 'packages/runtime/src/**/*.ts'], { cwd: root });
  const code = files.map((file) => readFileSync(`${root}/${file}`, 'utf8')).join('\n');
  assert.deepEqual(
    metrics.map(([name]) => name).filter((name) => !code.includes(`'${name}'`)),
    [],
  );
});

test('names follow the conventions: a unit last, `_total` for what only grows, no ids among the labels', () => {
  const units = /_(seconds|bytes|ratio|info)$/;
  const counts =
    /_(followers|reachable|failures|failed|state|pending|refused|jobs|slots|leases|running|lent|runs|versions|deployments)$/;
  for (const [name, { type, labels }] of metrics) {
    assert.match(name, /^(jarvis|process|nodejs)_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    if (type === 'gauge') assert.ok(units.test(name) || counts.test(name), name);
    if (type === 'histogram') assert.match(name, /_(seconds|inputs)$/);
    assert.deepEqual(
      labels.filter((label) => label === 'id' || label.endsWith('_id') || label === 'path'),
      [],
      name,
    );
  }
});
