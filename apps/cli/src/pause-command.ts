// `jarvis pause` and `jarvis resume`: nothing trains, until it may again.
import { trainingGateSchema, type TrainingGateState } from '@jarvis/contracts';
import { readConfigOrExit } from '@jarvis/runtime';
import { withService } from './services.ts';
import type { World } from './world.ts';

export interface PauseOptions {
  /** Seconds. */
  readonly for?: number;
  readonly reason?: string;
  readonly json?: true;
}

export async function pauseCommand(world: World, options: PauseOptions): Promise<void> {
  const body = {
    ...(options.for === undefined ? {} : { seconds: options.for }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  };
  const state = await ask(world, 'pause', body);
  show(
    world,
    state,
    options.json,
    'What trains now stops at its next checkpoint, and goes on from there later.',
  );
}

export async function resumeCommand(world: World, options: Pick<PauseOptions, 'json'>): Promise<void> {
  const state = await ask(world, 'resume', {});
  show(world, state, options.json, 'Trainings go on: `jarvis status`.');
}

function ask(world: World, what: 'pause' | 'resume', body: object): Promise<TrainingGateState> {
  return withService(readConfigOrExit(world), 'jarvis-core', (client) =>
    client.post(`/api/training/${what}`, body, trainingGateSchema),
  );
}

function show(world: World, state: TrainingGateState, json: true | undefined, next: string): void {
  if (json === true) world.stdout.write(`${JSON.stringify(state)}\n`);
  else world.stdout.write(`${sentence(state.reason) ?? 'Training is not held.'}\n${next}\n`);
}

function sentence(reason: string | null): string | null {
  return reason === null ? null : `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}
