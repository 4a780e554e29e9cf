// `npm run proof:memory`: trainings beside an LLM server on a machine that is too small for both, under each policy, and
// once without negotiation; and trainings that were told less than they take. Exit code 1 when anything did not hold. Linux, with the right to make a memory cgroup.
//   [-- --trainings 20] [-- --policy wait] [-- --json] [-- --save]
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NEGOTIATION_POLICIES } from '@jarvis/contracts';
import { describeMachine } from '@jarvis/testkit';
import { runControl } from './control.ts';
import { type PolicyReport, reportOf } from './report.ts';
import { runPolicy } from './run-policy.ts';
import { runEndless, runHalf } from './short-estimate.ts';

const LOG_CHARACTERS_SHOWN = 3_000;
const RESULT = fileURLToPath(new URL('../../bench/results/memory.md', import.meta.url));

const { values } = parseArgs({
  options: {
    trainings: { type: 'string', default: '20' },
    policy: { type: 'string', multiple: true, default: [...NEGOTIATION_POLICIES] },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});
const policies = NEGOTIATION_POLICIES.filter((p) => values.policy.includes(p));
if (policies.length === 0) throw new Error(`--policy is one of ${NEGOTIATION_POLICIES.join(', ')}`);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** What failed leaves its folder behind. */
async function within<T>(what: string, run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-memory-'));
  try {
    const result = await run(folder);
    await rm(folder, { recursive: true, force: true });
    return result;
  } catch (error) {
    const log = await readFile(join(folder, 'up.log'), 'utf8').catch(() => '');
    say(`${what} failed; ${folder} is kept\n${log.slice(-LOG_CHARACTERS_SHOWN)}`);
    throw error;
  }
}

const control = await within('the control', (folder) => runControl(folder, say));
say(`without negotiation the kernel killed ${control.kills}: ${control.what}`);
const reports: PolicyReport[] = [];
for (const policy of policies)
  reports.push(
    await within(policy, (folder) => runPolicy({ folder, policy, trainings: Number(values.trainings), say })),
  );
const short = [await within('half', runHalf), await within('endless', runEndless)];
const problems = [
  ...(control.kills > 0 ? [] : ['without negotiation nobody was killed: the machine is not too small']),
  ...reports.flatMap((r) => r.problems.map((p) => `${r.policy}: ${p}`)),
  ...short.flatMap((s) => s.problems.map((p) => `${s.what}: ${p}`)),
];
const text = reportOf({ control, reports, short, problems, machine: describeMachine() });
process.stdout.write(
  values.json ? `${JSON.stringify({ control, reports, short, problems }, null, 2)}\n` : text,
);
if (values.save) await writeFile(RESULT, text);
if (problems.length > 0) process.exitCode = 1;
