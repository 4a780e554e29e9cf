// The control: the same LLM server, services and trainer, and nobody who negotiates. The kernel has to kill somebody.
import type { Job } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { makeArena } from './arena.ts';
import { SIZES, startLlmAlone, startSmallMachine } from './small-machine.ts';

const KILL_LIMIT_MS = 90_000;
const EPOCHS = 6;
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

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
    const experiences = Array.from({ length: 10 }, (_, i) => ({
      type: 'vision',
      input: { image_base64: 'iVBORw0KGgo=' },
      expected_output: { label: `label-${i}` },
    }));
    await machine.post('jarvis-core', '/api/experiences', { experiences });
    const body = { job_id: 'control', model_type: 'vision', epochs: EPOCHS, auto_deploy: false };
    await machine.post('jarvis-core', '/api/jobs', body);
    await until(
      'a kill, or the end of the training',
      async () => {
        if ((await arena.kills()) > 0) return true;
        const job = await machine.get<Job>('jarvis-core', '/api/jobs/control');
        return job !== null && ENDED.includes(job.state);
      },
      KILL_LIMIT_MS,
    );
    const kills = await arena.kills();
    const job = await machine.get<Job>('jarvis-core', '/api/jobs/control');
    const victim = llmDied ? 'the LLM server died' : `the training is ${job?.state ?? 'not to be asked for'}`;
    return { kills, what: `${victim} (${job?.reason ?? 'JARVIS Core does not answer'})` };
  } finally {
    await arena.remove();
  }
}
