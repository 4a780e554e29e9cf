// The built-in nlu trainer, which does not live long: attempts 1 and 2 die of SIGKILL and attempt 3 gets SIGTERM once a
// checkpoint at their epoch is there; the fourth lives. Nobody outside has to be quick enough.
import { readdirSync, readFileSync } from 'node:fs';
import type { TrainerJob } from '@jarvis/contracts';

const LOOK_MS = 1;
const EPOCHS_OF_AN_ATTEMPT = 10;
const ENDS: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGKILL', 'SIGTERM'];

const { attempt, checkpoint } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as TrainerJob;
const end = ENDS[attempt - 1];

function savedEpochs(): number[] {
  try {
    return readdirSync(checkpoint.dir).map((name) => Number(/^epoch-(\d+)-step-\d+$/.exec(name)?.[1] ?? 0));
  } catch {
    return []; // There is no folder before the first.
  }
}

if (end !== undefined) {
  const look = setInterval(() => {
    if (!savedEpochs().some((epoch) => epoch >= attempt * EPOCHS_OF_AN_ATTEMPT)) return;
    clearInterval(look);
    process.kill(process.pid, end);
  }, LOOK_MS);
  look.unref();
}
await import('../../../../trainers/builtin/nlu/main.ts');
