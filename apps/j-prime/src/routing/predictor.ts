// One request: which version answers it, what becomes of a failure, and what the judge of a rollout hears of it.
//
//   session -> place in [0, 1) -> candidate (ready, place < weight) or stable; a candidate's failure is answered by stable
import { type Arm, CodedError, isCodedError, type ModelType, type PredictResponse } from '@jarvis/contracts';
import type { Prediction } from '@jarvis/model-kinds';
import { assignArm, sessionHash, sessionUnit } from '@jarvis/policy';
import type { Clock, Logger, Random } from '@jarvis/runtime';
import type { Fleet, Serving, Trial } from '../models/fleet.ts';
import { PREDICTIONS_PER_KIND_MAX } from '../models/limits.ts';
import type { ServedVersion } from '../models/served-version.ts';
import type { EvidenceRecorder } from './evidence-recorder.ts';

/** So many failures of a candidate that the judge has not heard of take it out of service: the outbox has to end somewhere. */
const UNHEARD_FAILURES_MAX = 10_000;
const RETRY_AFTER_SECONDS = 1;

export interface PredictorOptions {
  readonly fleet: Fleet;
  readonly evidence: EvidenceRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface PredictRequest {
  readonly kind: ModelType;
  readonly input: Record<string, unknown>;
  readonly sessionId: string | undefined;
}

export class Predictor {
  readonly #options: PredictorOptions;
  #running = 0;
  readonly #runningOf = new Map<ModelType, number>();
  readonly #startedMs: number;
  #lastMs: number;
  readonly #lastMsOf = new Map<ModelType, number>();

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
  async predict(request: PredictRequest): Promise<PredictResponse> {
    const { fleet, clock } = this.#options;
    const ofKind = this.#runningOf.get(request.kind) ?? 0;
    if (ofKind >= PREDICTIONS_PER_KIND_MAX)
      throw new CodedError(
        'overloaded',
        `${ofKind} predictions of ${request.kind} are under way: try again`,
        {
          retry_after_seconds: RETRY_AFTER_SECONDS,
        },
      );
    this.#running += 1;
    this.#runningOf.set(request.kind, ofKind + 1);
    this.#lastMsOf.set(request.kind, clock.monotonic());
    try {
      if (fleet.serving(request.kind) === undefined) await fleet.wake(request.kind);
      const serving = this.#servingOf(request.kind);
      if (serving.trial === null) return await this.#answer(serving.stable, request, 'stable');
      return await this.#answerInTrial(serving, serving.trial, request);
    } finally {
      this.#running -= 1;
      this.#runningOf.set(request.kind, (this.#runningOf.get(request.kind) ?? 1) - 1);
      this.#lastMs = clock.monotonic();
      this.#lastMsOf.set(request.kind, this.#lastMs);
    }
  }

  #servingOf(kind: ModelType): Serving {
    const serving = this.#options.fleet.serving(kind);
    if (serving !== undefined) return serving;
    throw new CodedError('no_version', `no version of ${kind} is served yet: try again`, {
      retry_after_seconds: RETRY_AFTER_SECONDS,
    });
  }

  async #answerInTrial(serving: Serving, trial: Trial, request: PredictRequest): Promise<PredictResponse> {
    const session = request.sessionId ?? this.#options.random.id('request');
    const { deploymentId: deployment_id, weight, candidate } = trial;
    const session_hash = sessionHash(session, trial.salt);
    const rollout = { deployment_id, weight, session_hash };
    if (candidate === null) return { ...(await this.#answer(serving.stable, request, 'stable')), rollout };
    const arm = assignArm(sessionUnit(session, trial.salt), weight);
    const served = arm === 'candidate' ? candidate : serving.stable;
    try {
      const answer = await this.#answer(served, request, arm);
      this.#options.evidence.request(trial, arm);
      return { ...answer, rollout };
    } catch (error) {
      if (isCodedError(error, 'invalid_request') || isCodedError(error, 'overloaded')) throw error;
      this.#noteFailure(trial, arm, session_hash);
      if (arm === 'stable') throw error;
    }
    // The stable version of now: the one of before may have been replaced meanwhile.
    const { stable } = this.#servingOf(request.kind);
    return { ...(await this.#answer(stable, request, 'stable')), rollout };
  }

  async #answer(served: ServedVersion, { input }: PredictRequest, arm: Arm): Promise<PredictResponse> {
    let prediction: Prediction;
    try {
      prediction = await served.predict(input, arm);
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
    const { output, confidence } = prediction;
    return { output, confidence, version: served.name.version, arm, rollout: null };
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

  /** The 1st, 2nd, 4th, 8th ... failure of a version: a log that a broken model cannot flood. */
  #logFailure(served: ServedVersion, error: unknown): void {
    const { failures } = served;
    if ((failures & (failures - 1)) !== 0) return;
    this.#options.logger.error({ ...served.name, failures, err: error }, 'a prediction failed');
  }
}
