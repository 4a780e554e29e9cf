import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listUnnoticed, type Mutant, scoreOf, tableOf, tallyOf } from './report.ts';

const mutant = (file: string, status: Mutant['status']): Mutant => ({
  fileName: `/home/somebody/jarvis/packages/policy/src/${file}`,
  location: { start: { line: 7, column: 3 }, end: { line: 7, column: 9 } },
  mutatorName: 'EqualityOperator',
  replacement: 'a  <\n b',
  status,
});
const MUTANTS: readonly Mutant[] = [
  mutant('fit.ts', 'Killed'),
  mutant('fit.ts', 'Timeout'),
  mutant('fit.ts', 'Survived'),
  mutant('backoff.ts', 'NoCoverage'),
  mutant('backoff.ts', 'Killed'),
  mutant('backoff.ts', 'Killed'),
  mutant('backoff.ts', 'RuntimeError'),
];

test('the score is the share that a test noticed; what no test runs was not noticed', () => {
  assert.equal(scoreOf(tallyOf('all', MUTANTS)).toFixed(2), '66.67');
  assert.equal(scoreOf(tallyOf('none', [])), 100);
});

test('the table has a line for each file, and their sum', () => {
  assert.deepEqual(tableOf('packages/policy', MUTANTS).split('\n').slice(2), [
    '| `src/backoff.ts` | 66.7 % | 2 | 0 | 0 | 1 | 1 |',
    '| `src/fit.ts` | 66.7 % | 1 | 1 | 1 | 0 | 0 |',
    '| **all** | 66.7 % | 3 | 1 | 1 | 1 | 1 |',
  ]);
});

test('what was not noticed is listed with its place and what stood there instead', () => {
  assert.deepEqual(listUnnoticed(MUTANTS), [
    'packages/policy/src/fit.ts:7:3 EqualityOperator -> a < b',
    'packages/policy/src/backoff.ts:7:3 EqualityOperator -> a < b',
  ]);
});
