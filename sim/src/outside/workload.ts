// Who asks for what: people and triggers who submit and cancel, others who start, cancel and preempt at Reactor Core
// itself, strangers who take slots and leases and may never come back.
import { type ModelType, MODEL_TYPES, PRIORITY_CLASSES, slotLockName } from '@jarvis/contracts';
import type { Submitted } from '@jarvis/coordinator';
import { submissionOf } from '../core/core.ts';
import { EPOCHS_WITHOUT_DATA, liveJobs } from '../core/store.ts';
import { Chance } from '../kernel/chance.ts';
import { NEED_BYTES_MAX, NEED_BYTES_MIN } from '../scenario.ts';
import { isRefused, type World } from '../world.ts';

const CALL_TIMEOUT_MS = 20_000;
const EPOCHS_MAX = 8;
const RESUBMIT_MS = 4_000;
const RESUBMITS_MAX = 20;
const CANCEL_EVERY = 8;
const OUTSIDER_EVERY = 6;
const OUTSIDER_STARTS_EVERY = 2;
const STRANGER_EVERY = 12;
/** Who has a job preempted may want it gone a little later. */
const SECOND_THOUGHT_MS = 3_000;
/** Of strangers, how many want more memory than there is. */
const IMMODEST_SHARE = 0.1;
/** Of jobs, for how many it is said what they need. */
const NEED_TOLD_SHARE = 0.75;
/** Small jobs are common, large ones are not. */
const NEED_SKEW = 3;

export class Workload {
  /** Jobs whose submission was answered: none of them may be lost. */
  readonly acknowledged = new Set<string>();
  readonly #world: World;
  readonly #chance: Chance;

  constructor(world: World) {
    this.#world = world;
    this.#chance = new Chance(world.scenario.seed + 0x51ed);
  }

  begin(): void {
    const every = this.#world.scenario.submitEveryMs;
    this.#again(every, () => this.#submit());
    this.#again(every * CANCEL_EVERY, () => this.#cancel());
    this.#again(every * OUTSIDER_STARTS_EVERY, () => this.#startAtReactor());
    this.#again(every * OUTSIDER_EVERY, () => this.#stopAtReactor());
    this.#again(every * STRANGER_EVERY, () => this.#stranger());
  }

  #again(meanMs: number, work: () => void): void {
    const { client, loop } = this.#world;
    loop.after(this.#chance.waitMs(meanMs), () => {
      if (this.#world.quiet) return;
      if (client.up) work();
      this.#again(meanMs, work);
    });
  }

  #submit(): void {
    const chance = this.#chance;
    const modelType: ModelType = chance.pick(MODEL_TYPES) ?? 'nlu';
    const named = chance.happens(0.6);
    const priority = chance.happens(0.3) ? chance.pick(PRIORITY_CLASSES) : undefined;
    const submission = submissionOf(modelType, {
      epochs: chance.happens(0.02) ? EPOCHS_WITHOUT_DATA : chance.whole(1, EPOCHS_MAX),
      ...(chance.happens(NEED_TOLD_SHARE) ? { need: { ram_bytes: this.#needBytes(), vram_bytes: {} } } : {}),
      ...(named ? { job_id: chance.id('asked') } : {}),
      ...(priority === undefined ? {} : { priority }),
    });
    this.#submitUntilAnswered(submission, 0);
  }

  /** Who names the job may ask again without harm; who does not, asks once. */
  #submitUntilAnswered(submission: ReturnType<typeof submissionOf>, tries: number): void {
    const { network, client, core, invariants } = this.#world;
    network.call<Submitted>({
      what: `submit ${submission.job_id ?? submission.model_type}`,
      from: client,
      to: core.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply, refuse) => core.submit(submission, reply, refuse),
      done: (answer) => {
        if (!isRefused(answer)) {
          this.acknowledged.add(answer.jobId);
          if (!core.tables.jobs.has(answer.jobId)) invariants.broken('I4 no job lost', answer.jobId);
        } else if (submission.job_id !== undefined && tries < RESUBMITS_MAX)
          client.after(RESUBMIT_MS, () => this.#submitUntilAnswered(submission, tries + 1));
      },
    });
  }

  #cancel(): void {
    const { network, client, core, invariants } = this.#world;
    const job = this.#chance.pick(liveJobs(core.tables));
    if (job === undefined) return;
    const { jobId } = job;
    network.call<true>({
      what: `cancel ${jobId}`,
      from: client,
      to: core.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply, refuse) => core.cancel(jobId, reply, refuse),
      done: (answer) => {
        if (isRefused(answer)) return;
        this.#world.journal.say(`cancelling ${jobId} was promised`);
        const open = job.state !== 'cancelled' && job.state !== 'failed' && job.state !== 'completed';
        if (open && !job.cancelRequested) invariants.broken('cancel', `${jobId}: the promise is forgotten`);
      },
    });
  }

  #startAtReactor(): void {
    const { network, client, reactor } = this.#world;
    const chance = this.#chance;
    const jobId = chance.id('direct');
    const epochs = chance.whole(1, EPOCHS_MAX);
    const modelType = chance.pick(MODEL_TYPES) ?? 'nlu';
    const body = { jobId, modelType, epochs, needBytes: this.#needBytes(), lastAttempt: false, grant: null };
    network.call({
      what: `start ${jobId} without a token`,
      from: client,
      to: reactor.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply, refuse) => reactor.start(body, reply, refuse),
      done: () => undefined,
    });
  }

  #stopAtReactor(): void {
    const { network, client, reactor } = this.#world;
    const job = this.#chance.pick([...reactor.ground.live.keys()]);
    if (job === undefined) return;
    const ask = (stop: 'preempt' | 'cancel'): void =>
      network.call<string>({
        what: `${stop} ${job} at Reactor Core`,
        from: client,
        to: reactor.process,
        timeoutMs: CALL_TIMEOUT_MS,
        serve: (reply, refuse) => reactor[stop](job, reply, refuse),
        done: () => undefined,
      });
    if (this.#chance.happens(0.3)) return ask('cancel');
    ask('preempt');
    if (this.#chance.happens(0.4)) client.after(this.#chance.waitMs(SECOND_THOUGHT_MS), () => ask('cancel'));
  }

  /** Takes a slot and perhaps a lease over HTTP, and gives them back, or is never heard of again. */
  #stranger(): void {
    const { network, client, core, calls, scenario } = this.#world;
    const chance = this.#chance;
    const holder = chance.id('stranger');
    const slot = chance.whole(0, scenario.slots - 1);
    const immodest = chance.happens(IMMODEST_SHARE);
    const needBytes = immodest
      ? 2 * scenario.budgetBytes
      : Math.round(chance.between(NEED_BYTES_MIN, NEED_BYTES_MAX));
    const faithful = chance.happens(0.5);
    this.#world.invariants.disturbedAtMs = this.#world.loop.nowMs;
    const ask = <A>(what: string, serve: () => A, then: (answer: A) => void): void =>
      network.call<A>({
        what: `${what} of ${holder}`,
        from: client,
        to: core.process,
        timeoutMs: CALL_TIMEOUT_MS,
        serve: (reply) => reply(serve()),
        done: (answer) => {
          if (!isRefused(answer)) then(answer);
        },
      });
    ask(
      'slot',
      () => calls.acquireSlot(slot, holder),
      (token) =>
        ask(
          'lease',
          () => calls.requestLease(holder, needBytes),
          (leaseId) => {
            if (!faithful) return;
            client.after(chance.waitMs(scenario.lockTtlMs / 2), () =>
              ask(
                'end of the lease',
                () => calls.releaseLease(leaseId),
                () =>
                  ask(
                    'end of the slot',
                    () => calls.release({ name: slotLockName(slot), holder, token }),
                    () => undefined,
                  ),
              ),
            );
          },
        ),
    );
  }

  #needBytes(): number {
    const share = this.#chance.unit() ** NEED_SKEW;
    return Math.round(NEED_BYTES_MIN + (NEED_BYTES_MAX - NEED_BYTES_MIN) * share);
  }
}
