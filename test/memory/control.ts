// The control: the same LLM server, services and trainer, and nobody who negotiates. The kernel has to kill somebody.
import { until } from '@jarvis/testkit';
import { makeArena } from './arena.ts';
import { hasEnded, jobOf, storeExperiences, submit } from './jobs.ts';
import { SIZES, startLlmAlone, startSmallMachine } from './small-machine.ts';

const KILL_LIMIT_MS = 90_000;
const JOB = 'control';

export interface Control {
  readonly kills: number;
  readonly what: string;
}

export async function runControl(folder: string, say: (line: string) => void): Promise<Control> {
  const arena = await makeArena(SIZES.limit * 1024 ** 2);
  say(`a ${arena.way} of ${SIZES.limit} MiB`);
  try {
    const llm = await startLlmAlone(arena, folder);
    let llmDied = false;
    void llm.exited.then(() => (llmDied = true));
    const machine = await startSmallMachine({ arena, folder, policy: 'wait', negotiates: false });
    await storeExperiences(machine);
    await submit(machine, JOB);
    await until(
      'a kill, or the end of the training',
      async () => {
        if ((await arena.kills()) > 0) return true;
        const job = await jobOf(machine, JOB);
        return job !== null && hasEnded(job);
      },
      KILL_LIMIT_MS,
    );
    const kills = await arena.kills();
    const job = await jobOf(machine, JOB);
    const victim = llmDied ? 'the LLM server died' : `the training is ${job?.state ?? 'not to be asked for'}`;
    return { kills, what: `${victim} (${job?.reason ?? 'JARVIS Core does not answer'})` };
  } finally {
    await arena.remove();
  }
}
