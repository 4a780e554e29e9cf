// One request: which version answers it, what becomes of a failure, and what the judge of a rollout hears of it.
//
//   session -> place in [0, 1) -> candidate (ready, place < weight) or stable; a candidate's failure is answered by stable
//   behind the answer the other version is asked the same, in the shadow
import {
  type Arm,
  CodedError,
  invariant,
  isCodedError,
  type ModelType,
  type PredictResponse,
} from '@jarvis/contracts';
import type { Prediction } from '@jarvis/model-kinds';
import { assignArm, sessionHash, sessionUnit } from '@jarvis/policy';
import type { Clock, Logger, Random } from '@jarvis/runtime';
import type { Fleet, Serving, Trial } from '../models/fleet.ts';
import { PREDICTIONS_PER_KIND_MAX } from '../models/limits.ts';
import type { ServedVersion } from '../models/served-version.ts';
import type { EvidenceRecorder } from './evidence-recorder.ts';
import { Latencies } from './latencies.ts';
import type { Answered, Shadow } from './shadow.ts';
import { isTold } from './told-seldom.ts';

/** So many failures of a candidate that the judge has not heard of take it out of service: the outbox has to end somewhere. */
const UNHEARD_FAILURES_MAX = 10_000;
const RETRY_AFTER_SECONDS = 1;

export interface PredictorOptions {
  readonly fleet: Fleet;
  readonly evidence: EvidenceRecorder;
  readonly shadow: Shadow;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What the client gets of a rollout, to file a later correction under. */
type Rollout = NonNullable<PredictResponse['rollout']>;

export interface PredictRequest {
  readonly kind: ModelType;
  readonly input: Record<string, unknown>;
  readonly sessionId: string | undefined;
}

/** Several inputs of one session. One version answers them all: one request to it, and one piece of evidence. */
export interface BatchRequest extends Omit<PredictRequest, 'input'> {
  readonly inputs: readonly Record<string, unknown>[];
}

/** A prediction an input, in their order. */
export interface BatchAnswer extends Omit<PredictResponse, 'output' | 'confidence'> {
  readonly predictions: readonly Prediction[];
}

export class Predictor {
  readonly #options: PredictorOptions;
  #running = 0;
  readonly #runningOf = new Map<ModelType, number>();
  readonly #startedMs: number;
  #lastMs: number;
  readonly #lastMsOf = new Map<ModelType, number>();
  readonly #latencies = new Latencies();

  constructor(options: PredictorOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonic();
    this.#lastMs = this.#startedMs;
  }

  get running(): number {
    return this.#running;
  }

  /** Milliseconds since a request was last answered; 0 while one is under way. */
  idleMs(): number {
    return this.#running > 0 ? 0 : this.#options.clock.monotonic() - this.#lastMs;
  }

  /** Milliseconds since this kind was last asked for. */
  idleMsOf(kind: ModelType): number {
    return this.#options.clock.monotonic() - (this.#lastMsOf.get(kind) ?? this.#startedMs);
  }

  /** @throws {CodedError} `no_version`, `invalid_request`, `model_unavailable`, `overloaded` */
  async predict({ input, ...request }: PredictRequest): Promise<PredictResponse> {
    const { predictions, ...answer } = await this.predictAll({ ...request, inputs: [input] });
    const [prediction] = predictions;
    invariant(prediction !== undefined, 'every input is answered');
    return { ...prediction, ...answer };
  }

  /** @throws {CodedError} as `predict` */
  predictAll(request: BatchRequest): Promise<BatchAnswer> {
    const { fleet } = this.#options;
    return this.#counted(request, async () => {
      if (fleet.serving(request.kind) === undefined) await fleet.wake(request.kind);
      const serving = this.#servingOf(request.kind);
      if (serving.trial === null) return (await this.#timed(serving.stable, request, 'stable')).answer;
      return await this.#answerInTrial(serving, serving.trial, request);
    });
  }

  /**
   * Asks the version that `find` resolves to, whatever the session: the judge of a rollout hears nothing of it.
   * @throws {CodedError} as `predict`, and what `find` throws
   */
  predictWith(
    find: () => Promise<ServedVersion>,
    { kind, inputs }: Omit<BatchRequest, 'sessionId'>,
  ): Promise<{ predictions: readonly Prediction[]; version: string }> {
    return this.#counted({ kind, inputs }, async () => {
      const served = await find();
      return { predictions: await this.#ask(served, inputs, 'stable'), version: served.name.version };
    });
  }

  async #counted<T>(
    { kind, inputs }: Pick<BatchRequest, 'kind' | 'inputs'>,
    answer: () => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options;
    const ofKind = this.#runningOf.get(kind) ?? 0;
    if (ofKind + inputs.length > PREDICTIONS_PER_KIND_MAX)
      throw new CodedError('overloaded', `${ofKind} predictions of ${kind} are under way: try again`, {
        retry_after_seconds: RETRY_AFTER_SECONDS,
      });
    this.#running += 1;
    this.#runningOf.set(kind, ofKind + inputs.length);
    this.#lastMsOf.set(kind, clock.monotonic());
    try {
      return await answer();
    } finally {
      this.#running -= 1;
      this.#runningOf.set(kind, (this.#runningOf.get(kind) ?? 0) - inputs.length);
      this.#lastMs = clock.monotonic();
      this.#lastMsOf.set(kind, this.#lastMs);
    }
  }

  #servingOf(kind: ModelType): Serving {
    const serving = this.#options.fleet.serving(kind);
    if (serving !== undefined) return serving;
    throw new CodedError('no_version', `no version of ${kind} is served yet: try again`, {
      retry_after_seconds: RETRY_AFTER_SECONDS,
    });
  }

  async #answerInTrial(serving: Serving, trial: Trial, request: BatchRequest): Promise<BatchAnswer> {
    const session = request.sessionId ?? this.#options.random.id('request');
    const { deploymentId: deployment_id, weight, candidate } = trial;
    const session_hash = sessionHash(session, trial.salt);
    const rollout: Rollout = {
      deployment_id,
      weight,
      session_hash,
      pair_id: null,
      candidate_failed: null,
    };
    if (candidate === null) return { ...(await this.#answer(serving.stable, request, 'stable')), rollout };
    const arm = assignArm(sessionUnit(session, trial.salt), weight);
    const served = arm === 'candidate' ? candidate : serving.stable;
    try {
      const { answer, ms } = await this.#timed(served, request, arm);
      const { evidence, shadow } = this.#options;
      evidence.request(trial, arm);
      if (ms !== null && this.#latencies.isSlow(request.kind, trial, ms))
        evidence.slow(trial, arm, session_hash);
      const pair_id = shadow.begin(serving, { trial, arm, ...firstOf(request, answer) });
      return { ...answer, rollout: { ...rollout, pair_id } };
    } catch (error) {
      if (isCodedError(error, 'invalid_request') || isCodedError(error, 'overloaded')) throw error;
      this.#noteFailure(trial, arm, session_hash);
      if (arm === 'stable') throw error;
    }
    // The stable version of now: the one of before may have been replaced meanwhile.
    const { stable } = this.#servingOf(request.kind);
    const answer = await this.#answer(stable, request, 'stable');
    return { ...answer, rollout: { ...rollout, candidate_failed: candidate.name.version } };
  }

  /** `ms` is null for a batch: it takes as long as it has inputs, and says nothing about how fast a version is. */
  async #timed(
    served: ServedVersion,
    request: BatchRequest,
    arm: Arm,
  ): Promise<{ answer: BatchAnswer; ms: number | null }> {
    const { clock } = this.#options;
    const startedMs = clock.monotonic();
    const answer = await this.#answer(served, request, arm);
    if (request.inputs.length > 1) return { answer, ms: null };
    const ms = clock.monotonic() - startedMs;
    if (arm === 'stable') this.#latencies.note(served, ms);
    return { answer, ms };
  }

  async #answer(served: ServedVersion, { inputs }: BatchRequest, arm: Arm): Promise<BatchAnswer> {
    const predictions = await this.#ask(served, inputs, arm);
    return { predictions, version: served.name.version, arm, rollout: null };
  }

  async #ask(
    served: ServedVersion,
    inputs: BatchRequest['inputs'],
    arm: Arm,
  ): Promise<readonly Prediction[]> {
    try {
      return await Promise.all(inputs.map((input) => served.predict(input, arm)));
    } catch (error) {
      if (isCodedError(error, 'invalid_request') || isCodedError(error, 'overloaded')) throw error;
      this.#logFailure(served, error);
      throw new CodedError(
        'model_unavailable',
        `${served.name.modelType} ${served.name.version} could not answer; the log of J-Prime has the cause`,
        { retry_after_seconds: RETRY_AFTER_SECONDS },
        { cause: error },
      );
    }
  }

  #noteFailure(trial: Trial, arm: Arm, hash: string): void {
    const { evidence, fleet } = this.#options;
    evidence.failure(trial, arm, hash);
    if (evidence.unheardFailures < UNHEARD_FAILURES_MAX || trial.candidate === null) return;
    fleet.setAside(
      trial.candidate,
      `${evidence.unheardFailures} failures of this rollout wait for a judge that does not answer`,
    );
  }

  #logFailure(served: ServedVersion, error: unknown): void {
    const { failures } = served;
    if (!isTold(failures)) return;
    this.#options.logger.error({ ...served.name, failures, err: error }, 'a prediction failed');
  }
}

/** What of a request is asked in the shadow, too: of a batch its first input stands for all. */
function firstOf(
  { inputs: [input] }: BatchRequest,
  { predictions: [first] }: BatchAnswer,
): Pick<Answered, 'input' | 'output'> {
  invariant(input !== undefined && first !== undefined, 'a request has an input, and each is answered');
  return { input, output: first.output };
}
