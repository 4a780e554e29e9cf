// Making room in memory, cheapest first (grades.ts), until what was asked for is found; what answers requests stays.
//
//   asked -> planned -> draining, step by step -> done        the figures are measured before and after
//         \-> refused: nothing here can be given
import { CodedError, type MakeRoom, type NegotiationPolicy } from '@jarvis/contracts';
import type { Clock, Logger } from '@jarvis/runtime';
import { type Database, Serial } from '@jarvis/store';
import { closeRooms, openRooms, roomOf, type RoomRecord, saveRoom } from '../store/room.ts';
import { type GradesOptions, labelOf, type Plan, planOf } from './grades.ts';
import { Giving } from './giving.ts';

/** Running requests take milliseconds: most of the time the first answer is the last. */
const ANSWER_WAIT_MS = 1_000;

export interface RoomOptions extends GradesOptions {
  readonly db: Database;
  /** Proportional bytes of this process and its children, the LLM server apart. */
  readonly measureBytes: () => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RoomRequest {
  readonly request_id: string;
  readonly bytes: number;
  readonly by: string;
  readonly why: string;
  readonly policy: NegotiationPolicy;
}

interface Making {
  readonly asked: string;
  readonly done: Promise<MakeRoom>;
}

export class Room {
  readonly #options: RoomOptions;
  readonly #making = new Map<string, Making>();
  readonly #serial = new Serial('requests for room');
  /** Fires when what is being given is not wanted any more. */
  #calledOff = new AbortController();
  #lent = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Whether memory that was given away has not come back: then nothing is kept that is not routed. */
  get lent(): boolean {
    return this.#lent;
  }

  /** Takes up what was lent before a restart, before the routes are known: what was parked stays so. */
  async open(): Promise<void> {
    const { db, fleet } = this.#options;
    const records = await openRooms(db);
    for (const record of records) {
      for (const name of record.unloaded) if (name.parked === true) fleet.keepParked(name);
      if (record.answer.state === 'draining') await saveRoom(db, this.#takenUp(record));
    }
    this.#lent = (await openRooms(db)).length > 0;
  }

  /** Answers when it is done, or how far it is. @throws {CodedError} `invalid_request`, `idempotency_conflict` */
  async make(request: RoomRequest): Promise<MakeRoom> {
    if (Number.isNaN(Date.parse(request.by)))
      throw new CodedError('invalid_request', `by: "${request.by}" is not a time in RFC 3339`);
    const id = request.request_id;
    const { bytes, why, policy } = request;
    const asked = JSON.stringify(policy === 'wait' ? [bytes, why] : [bytes, why, policy]);
    const making = this.#making.get(id) ?? this.#begin(request, asked);
    if (making.asked !== asked) throw usedBefore(id);
    const answered = new AbortController();
    const soFar = this.#options.clock.sleep(ANSWER_WAIT_MS, answered.signal).then(() => null);
    try {
      return (await Promise.race([making.done, soFar])) ?? (await this.find(id));
    } finally {
      answered.abort();
    }
  }

  /** @throws {CodedError} `not_found` */
  async find(requestId: string): Promise<MakeRoom> {
    const record = await roomOf(this.#options.db, requestId);
    if (record !== undefined) return record.answer;
    if (this.#making.has(requestId)) return inLine(requestId);
    throw new CodedError('not_found', `nobody asked for room as ${requestId}`);
  }

  /** Takes the memory back: loads again what was unloaded. Answers which models are back; the LLM first asks for its memory. */
  async restore(): Promise<string[]> {
    const { db, fleet, llm } = this.#options;
    await this.stop();
    this.#calledOff = new AbortController();
    const records = await openRooms(db);
    await closeRooms(db);
    this.#lent = false;
    if (records.some((record) => record.llm)) llm?.restore();
    const restored: string[] = [];
    for (const name of records.flatMap((record) => record.unloaded)) {
      const isBack = name.parked === true ? fleet.unpark(name) : fleet.keepPrevious(name);
      if (await isBack) restored.push(labelOf(name));
    }
    return restored;
  }

  /** Calls off what is under way as far as it can be, and waits for it. */
  async stop(): Promise<void> {
    this.#calledOff.abort();
    await Promise.allSettled([...this.#making.values()].map((making) => making.done));
  }

  #begin(request: RoomRequest, asked: string): Making {
    const id = request.request_id;
    const done = this.#serial
      .run(() => this.#answerOnce(request, asked))
      .finally(() => this.#making.delete(id));
    const making = { asked, done };
    this.#making.set(id, making);
    return making;
  }

  async #answerOnce(request: RoomRequest, asked: string): Promise<MakeRoom> {
    const { db, clock } = this.#options;
    const known = await roomOf(db, request.request_id);
    if (known !== undefined && known.asked !== asked) throw usedBefore(request.request_id);
    if (known !== undefined) return known.answer;
    const plan = await planOf(this.#options, request.policy);
    const isLate = clock.now() > Date.parse(request.by);
    if (plan.steps.length > 0 && !isLate) return this.#give(request, asked, plan);
    const answer: MakeRoom = {
      request_id: request.request_id,
      state: 'refused',
      steps: [],
      freed_bytes: 0,
      reason: plan.steps.length > 0 ? 'its deadline is over' : plan.stays,
    };
    await saveRoom(db, { asked, answer, unloaded: [], llm: false });
    return answer;
  }

  async #give(request: RoomRequest, asked: string, plan: Plan): Promise<MakeRoom> {
    const { db, fleet, measureBytes, logger } = this.#options;
    const { signal } = this.#calledOff;
    const giving = new Giving({ db, asked, request, plan, measureBytes });
    const goesOn = (): boolean => !giving.isEnough && !signal.aborted;
    this.#lent = true;
    await giving.save();
    if (goesOn()) await giving.take(plan.previous, (served) => fleet.unloadPrevious(served));
    for (const served of plan.idle)
      if (goesOn()) await giving.take([served], (s) => fleet.park(s), { parked: true });
    const llmLeft = plan.llm.length > 0 && goesOn() && (await this.#giveLlm(request, giving, signal));
    const answer = await giving.finish(llmLeft);
    this.#lent = (await openRooms(db)).length > 0;
    logger.info({ ...request, freed_bytes: answer.freed_bytes }, answer.reason);
    return answer;
  }

  async #giveLlm(request: RoomRequest, giving: Giving, signal: AbortSignal): Promise<boolean> {
    const { llm, idleAfterMs } = this.#options;
    const drained = await llm?.drain({
      why: `makes room: ${request.why}`,
      wantedBytes: giving.missingBytes,
      byMs: Date.parse(request.by),
      idleForMs: request.policy === 'training_first' ? null : idleAfterMs,
      signal,
      onQuiet: () => giving.beginLlm(),
      onStep: (step) => giving.noteLlm(step),
    });
    if (drained === undefined) return false;
    giving.tell(drained.reason);
    return drained.left;
  }

  /**
   * A record that was draining when J-Prime ended. Its models went with the process, or are parked; whether the LLM server
   * went is seen by looking at it.
   */
  #takenUp(record: RoomRecord): RoomRecord {
    const { llm } = this.#options;
    const llmLeft = record.llm && llm?.life.state !== 'ready';
    const llmSteps = record.answer.steps.slice(record.unloaded.length);
    const isTold = llmSteps.some((step) => step.state === 'done');
    const firstOpen = record.unloaded.length + llmSteps.findIndex((step) => step.state === 'planned');
    const steps = record.answer.steps.map((step, i) => {
      if (step.state !== 'planned') return step;
      const isDone = i < record.unloaded.length || (llmLeft && !isTold && i === firstOpen);
      return { ...step, state: isDone ? ('done' as const) : ('skipped' as const) };
    });
    const state = steps.some((step) => step.state === 'done') ? ('done' as const) : ('refused' as const);
    const stays = record.llm && !llmLeft ? '; the LLM server still holds its memory' : '';
    const reason = `J-Prime restarted meanwhile, and holds none of what was unloaded any more${stays}`;
    return { ...record, llm: llmLeft, answer: { ...record.answer, state, steps, reason } };
  }
}

function inLine(requestId: string): MakeRoom {
  return {
    request_id: requestId,
    state: 'draining',
    steps: [],
    freed_bytes: 0,
    reason: 'what can be given is being worked out, behind other requests for room that came first',
  };
}

function usedBefore(requestId: string): CodedError {
  return new CodedError('idempotency_conflict', `${requestId} was used for another request for room`);
}
