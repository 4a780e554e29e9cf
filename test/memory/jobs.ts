// What both stories ask JARVIS Core for: something to learn from, and a training of the heavy trainer.
import type { Job } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import type { SmallMachine } from './small-machine.ts';

export const EPOCHS = 6;
const ROWS = 20;
export const JOB_LIMIT_MS = 90_000;
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

export function hasEnded({ state }: Job): boolean {
  return ENDED.includes(state);
}

export async function storeExperiences(machine: SmallMachine): Promise<void> {
  const experiences = Array.from({ length: ROWS }, (_, i) => ({
    type: 'vision',
    input: { image_base64: 'iVBORw0KGgo=' },
    expected_output: { label: `label-${i}` },
  }));
  const answer = await machine.post('jarvis-core', '/api/experiences', { experiences });
  if (!answer.ok) throw new Error(`the experiences were refused: ${await answer.text()}`);
}

export async function submit(machine: SmallMachine, jobId: string): Promise<void> {
  const body = { job_id: jobId, model_type: 'vision', epochs: EPOCHS, auto_deploy: false };
  const answer = await machine.post('jarvis-core', '/api/jobs', body);
  if (!answer.ok) throw new Error(`${jobId} was refused: ${await answer.text()}`);
}

export function jobOf(machine: SmallMachine, jobId: string): Promise<Job | null> {
  return machine.get<Job>('jarvis-core', `/api/jobs/${jobId}`);
}

export async function untilEnded(machine: SmallMachine, jobId: string): Promise<Job> {
  let job: Job | null = null;
  await until(
    () => `the end of ${jobId}, which is ${job?.state} in epoch ${job?.epoch}: ${job?.reason}`,
    async () => {
      job = await jobOf(machine, jobId);
      return job !== null && hasEnded(job);
    },
    JOB_LIMIT_MS,
  );
  return job ?? Promise.reject(new Error(`${jobId} is gone`));
}
