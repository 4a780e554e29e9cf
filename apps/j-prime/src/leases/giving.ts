// One request for room while it is worked on: its steps, each stored when it is done, and what fell so far.
import { invariant, type MakeRoom } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import type { DrainStep } from '../llm/drain.ts';
import type { ServedVersion } from '../models/served-version.ts';
import { saveRoom, type UnloadedVersion } from '../store/room.ts';
import type { Plan } from './grades.ts';

type Step = MakeRoom['steps'][number];

export interface GivingOptions {
  readonly db: Database;
  readonly asked: string;
  readonly request: { readonly request_id: string; readonly bytes: number };
  readonly plan: Plan;
  readonly measureBytes: () => Promise<number>;
}

export class Giving {
  readonly #options: GivingOptions;
  readonly #steps: Step[];
  readonly #unloaded: UnloadedVersion[] = [];
  readonly #told: string[] = [];
  #llm = false;
  #smallBytes = 0;
  #llmBytes = 0;

  constructor(options: GivingOptions) {
    this.#options = options;
    this.#steps = [...options.plan.steps];
  }

  get freedBytes(): number {
    return this.#smallBytes + this.#llmBytes;
  }
  get missingBytes(): number {
    return Math.max(0, this.#options.request.bytes - this.freedBytes);
  }
  get isEnough(): boolean {
    return this.missingBytes === 0;
  }

  /** Adds to what the answer says. */
  tell(reason: string): void {
    this.#told.push(reason);
  }

  /** Stored before it is done: whoever restarts in between finds the models gone, and knows what to load again. */
  async take(
    versions: readonly ServedVersion[],
    unload: (served: ServedVersion) => Promise<void>,
    { parked = false } = {},
  ): Promise<void> {
    if (versions.length === 0) return;
    const { measureBytes, plan } = this.#options;
    const first = this.#unloaded.length;
    invariant(plan.steps.length >= first + versions.length, 'each version has a step');
    this.#unloaded.push(...versions.map(({ name }) => (parked ? { ...name, parked } : name)));
    await this.save();
    const beforeBytes = await measureBytes();
    await Promise.all(versions.map(unload));
    this.#smallBytes += Math.max(0, beforeBytes - (await measureBytes()));
    for (let i = first; i < this.#unloaded.length; i++) this.#end(i, 'done');
    await this.save();
  }

  /** The LLM will give its memory from now on. */
  async beginLlm(): Promise<void> {
    this.#llm = true;
    await this.save();
  }

  async noteLlm({ way, freedBytes, failed }: DrainStep): Promise<void> {
    const { plan } = this.#options;
    this.#llmBytes = freedBytes;
    this.#end(
      plan.previous.length + plan.idle.length + plan.llm.indexOf(way),
      failed === null ? 'done' : 'skipped',
    );
    await this.save();
  }

  /** What was not needed, or not possible, is skipped. Without a step that was done, it is a refusal. */
  async finish(llmLeft: boolean): Promise<MakeRoom> {
    for (const [i, step] of this.#steps.entries()) if (step.state === 'planned') this.#end(i, 'skipped');
    this.#llm = llmLeft;
    const isRefused = this.#steps.every((step) => step.state === 'skipped');
    return this.save(isRefused ? 'refused' : 'done');
  }

  async save(state: MakeRoom['state'] = 'draining'): Promise<MakeRoom> {
    const { db, asked, request } = this.#options;
    const answer: MakeRoom = {
      request_id: request.request_id,
      state,
      steps: this.#steps,
      freed_bytes: this.freedBytes,
      reason: this.#reason(state),
    };
    await saveRoom(db, { asked, answer, unloaded: this.#unloaded, llm: this.#llm });
    return answer;
  }

  #end(at: number, state: 'done' | 'skipped'): void {
    const step = this.#steps[at];
    invariant(step !== undefined, `there is a step ${at}`);
    this.#steps[at] = { ...step, state };
  }

  #reason(state: MakeRoom['state']): string {
    const small = this.#unloaded.map((name) => `${name.modelType} ${name.version}`).join(', ');
    const told = [...(small === '' ? [] : [`unloaded ${small}`]), ...this.#told].join('; ');
    if (state === 'draining') return told === '' ? 'begins' : told;
    const enough = this.isEnough ? '' : `, less than the ${this.#options.request.bytes} asked for`;
    return `${told}: ${this.freedBytes} bytes fewer, as measured${enough}`;
  }
}
