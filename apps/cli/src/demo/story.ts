// The demo as a list of stages, each a few steps; what shows them is another's business (display.ts).
//
//   start: baseline v0.1.0 -> day 1: use, train, roll out -> day 2: the same -> day 3: import, train, roll out, back
import {
  type Deployment,
  experienceStatsSchema,
  type JobEvent,
  modelVersionsSchema,
} from '@jarvis/contracts';
import { progressLine } from '../train-command.ts';
import { bar, percent, plural } from '../style.ts';
import { importExperiences, keepTalking, measureAccuracy, replayDay, type Sent } from './assistant.ts';
import type { DemoData } from './data-set.ts';
import { type DayPlan, drawPoison, importBatches } from './days.ts';
import type { Seeded } from './seeded.ts';
import type { Observed } from './summary.ts';
import type { DemoSystem } from './system.ts';
import { listJobs, nextJob, untilServed, watchJob, type Watcher, watchRollout } from './watch.ts';

/** Where a step shows what it is doing; its last word is what it answers. */
export interface View {
  show(text: string): void;
}
export interface Step {
  readonly title: string;
  /** Answers what came of it, for the line that stays. */
  run(view: View): Promise<string>;
}
export interface Stage {
  readonly title: string;
  readonly steps: readonly Step[];
}

export interface StoryOptions {
  readonly data: DemoData;
  readonly plan: DayPlan;
  readonly random: Seeded;
  readonly healthyThirdDay: boolean;
  readonly start: () => Promise<DemoSystem>;
  readonly clock: Watcher['clock'];
  readonly signal: AbortSignal;
}

export class Story {
  readonly #options: StoryOptions;
  readonly #sent: Sent = { experiences: 0 };
  readonly #known = new Set<string>();
  readonly #deployments: Deployment[] = [];
  readonly #accuracies: number[] = [];
  readonly #ms = { start: 0, train: 0, rollout: 0 };
  readonly #fromMs: number;
  #running: (DemoSystem & Watcher) | null = null;
  #served = '';
  #trained = '';

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#fromMs = options.clock.monotonic();
  }

  stages(): Stage[] {
    const { plan, data, healthyThirdDay } = this.#options;
    const third = healthyThirdDay
      ? 'Day 3: an import of everything, with right labels'
      : 'Day 3: an import in which three in ten intents carry another one’s label';
    return [
      {
        title: 'Start: a baseline made from a few phrases for each intent',
        steps: [this.#startServices(), this.#baseline(), this.#measure()],
      },
      {
        title: `Day 1: ${plural(plan.first.length, 'command')}, the wrong answers corrected`,
        steps: [this.#use(1), this.#train(), this.#rollOut(1), this.#measure()],
      },
      {
        title: `Day 2: ${plural(plan.second.length, 'command')} not heard before`,
        steps: [this.#use(2), this.#train(), this.#rollOut(2), this.#measure()],
      },
      { title: third, steps: [this.#import(data), this.#train(), this.#rollOut(3), this.#measure()] },
    ];
  }

  /** What was seen; to be asked for after the last step. */
  async observed(): Promise<Observed> {
    const { core, reactor, config } = this.#system;
    const [before = 0, first = 0, second = 0] = this.#accuracies;
    const stats = await core.get('/api/experiences/stats', experienceStatsSchema);
    const { versions } = await reactor.get('/api/models/nlu/versions', modelVersionsSchema);
    return {
      accuracy: { before, first, second },
      versions: versions.toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1)).map((v) => v.version),
      rolloutSteps: config.env.ROLLOUT_STEPS ?? [],
      deployments: this.#deployments,
      experiences: { sent: this.#sent.experiences, stored: stats.total - (stats.by_source['seed'] ?? 0) },
      jobs: await listJobs(this.#system),
      ms: { ...this.#ms, total: this.#options.clock.monotonic() - this.#fromMs },
    };
  }

  get #system(): DemoSystem & Watcher {
    if (this.#running === null) throw new Error('the services have not been started');
    return this.#running;
  }

  #startServices(): Step {
    return {
      title: 'Start the services',
      run: async (view) => {
        const { clock, signal, start } = this.#options;
        const system = await start();
        system.supervisor.events.subscribe((event) => {
          if (event.type === 'phase_started') view.show(`${event.phase}/3 ${event.title}`);
        });
        const { text } = await system.supervisor.ready;
        this.#running = { ...system, clock, signal };
        const ports = Object.values(system.config.urls).map((url) => new URL(url).port);
        return `${text} on ports ${ports.join(', ')}`;
      },
    };
  }

  #baseline(): Step {
    return {
      title: 'Train the baseline',
      run: async (view) => {
        const version = await this.#watchTraining(view);
        await this.#untilServed(version);
        this.#ms.start = this.#options.clock.monotonic() - this.#fromMs;
        return `${version} from ${plural(this.#options.data.seed.length, 'phrase')}`;
      },
    };
  }

  #use(day: 1 | 2): Step {
    const { plan, random, signal } = this.#options;
    const commands = day === 1 ? plan.first : plan.second;
    return {
      title: 'Use it',
      run: async (view) => {
        const options = {
          core: this.#system.core,
          sent: this.#sent,
          random: random.fork(`day ${day}`),
          name: `day-${day}`,
          signal,
        };
        let corrected = 0;
        await replayDay(commands, options, (done, wrong) => {
          corrected = wrong;
          view.show(`${bar(done / commands.length)} ${done}/${commands.length}  ${wrong} corrected`);
        });
        return `${plural(commands.length, 'command')}, ${corrected} corrected`;
      },
    };
  }

  #import({ pool }: DemoData): Step {
    const { random, healthyThirdDay, plan } = this.#options;
    return {
      title: 'Import',
      run: async (view) => {
        const labels = healthyThirdDay ? new Map<string, string>() : drawPoison(pool, random);
        const batches = importBatches(pool, labels, { threshold: plan.threshold, random });
        const to = { core: this.#system.core, sent: this.#sent, name: 'import' };
        await importExperiences(batches, to, (done) =>
          view.show(`${bar(done / pool.length)} ${done}/${pool.length}`),
        );
        const wrong = [...labels].map(([label, other]) => `${label} → ${other}`).slice(0, 2);
        const poison = wrong.length === 0 ? '' : `, ${labels.size} intents mixed up (${wrong.join(', ')} …)`;
        return `${plural(pool.length, 'experience')}${poison}`;
      },
    };
  }

  #train(): Step {
    return {
      title: 'Train by itself',
      run: async (view) => {
        const { clock } = this.#options;
        const from = clock.monotonic();
        this.#trained = await this.#watchTraining(view);
        this.#ms.train += clock.monotonic() - from;
        return this.#trained;
      },
    };
  }

  async #watchTraining(view: View): Promise<string> {
    view.show('waiting for the trigger');
    const job = await nextJob(this.#system, this.#known);
    this.#known.add(job.job_id);
    return watchJob(this.#system, job.job_id, (event) => view.show(trainingLine(event)));
  }

  #rollOut(day: number): Step {
    const { data, random, signal, clock } = this.#options;
    return {
      title: 'Roll out',
      run: async (view) => {
        const from = clock.monotonic();
        const ended = new AbortController();
        const talking = keepTalking(data.pool, {
          core: this.#system.core,
          sent: this.#sent,
          random: random.fork(`rollout ${day}`),
          name: `rollout-${day}`,
          signal: AbortSignal.any([signal, ended.signal]),
        });
        // What goes wrong in talking ends the watching, and is what is thrown.
        const watched = watchRollout(this.#system, this.#trained, (d) => view.show(rolloutLine(d)));
        const deployment = await Promise.race([watched, talking.then(() => watched)]).finally(() =>
          ended.abort(),
        );
        await talking;
        this.#deployments.push(deployment);
        if (deployment.state === 'promoted') await this.#untilServed(this.#trained);
        else await this.#untilServed(this.#served);
        this.#ms.rollout += clock.monotonic() - from;
        return verdictLine(deployment);
      },
    };
  }

  async #untilServed(version: string): Promise<void> {
    await untilServed(this.#system, version, this.#options.data.test[0]?.text ?? 'hello');
    this.#served = version;
  }

  #measure(): Step {
    return {
      title: 'Held-out accuracy',
      run: async () => {
        const { test } = this.#options.data;
        const accuracy = await measureAccuracy(test, this.#served, this.#system.prime);
        const before = this.#accuracies.at(-1);
        this.#accuracies.push(accuracy);
        const change = before === undefined ? '' : `, ${signed(accuracy - before)} points`;
        return `${percent(accuracy)} of ${test.length} by ${this.#served}${change}`;
      },
    };
  }
}

function signed(difference: number): string {
  const points = (difference * 100).toFixed(1);
  return difference >= 0 ? `+${points}` : points;
}

function trainingLine(event: JobEvent): string {
  if (event.state === 'training' && event.epoch > 0) return progressLine(event);
  return event.reason === '' ? event.state : `${event.state}: ${event.reason}`;
}

/** So that the evidence beside it fits into 80 columns. */
const ROLLOUT_BAR_CELLS = 14;

function rolloutLine({ state, current_percentage, steps, guards, reason }: Deployment): string {
  if (state === 'gating') return 'the gate compares it with the version that serves';
  const requests = steps.at(-1)?.requests ?? 0;
  const guard = guards.find((g) => g.guard === 'error_share');
  const evidence =
    guard === undefined
      ? ''
      : `  evidence against it ${guard.evidence.toFixed(2)} of ${guard.threshold.toFixed(0)}`;
  const why = state === 'rolling' ? '' : `  ${state}: ${reason}`;
  return `${bar(current_percentage / 100, ROLLOUT_BAR_CELLS)} ${current_percentage} %  ${plural(requests, 'request')}${evidence}${why}`;
}

function verdictLine({ state, model_version, steps, reason }: Deployment): string {
  if (state !== 'promoted') return `${model_version} ${state.replaceAll('_', ' ')}: ${reason}`;
  return `${model_version} promoted through ${steps.map((s) => s.percent).join(', ')} %`;
}
