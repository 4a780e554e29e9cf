// Making room in memory. What is not routed goes, cheapest first; what answers requests stays.
//
//   asked -> planned -> draining -> done        the figures are measured before and after
//         \-> refused: nothing here can be given
import { CodedError, type MakeRoom } from '@jarvis/contracts';
import type { Clock, Logger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Fleet } from '../models/fleet.ts';
import type { ServedVersion, VersionName } from '../models/served-version.ts';
import { closeRooms, openRooms, roomOf, saveRoom } from '../store/room.ts';

/** Running requests take milliseconds: most of the time the first answer is the last. */
const ANSWER_WAIT_MS = 1_000;

export interface RoomOptions {
  readonly db: Database;
  readonly fleet: Fleet;
  /** Proportional bytes of this process and its children. */
  readonly measureBytes: () => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RoomRequest {
  readonly request_id: string;
  readonly bytes: number;
  readonly by: string;
  readonly why: string;
}

interface Making {
  readonly asked: string;
  readonly done: Promise<MakeRoom>;
}

export class Room {
  readonly #options: RoomOptions;
  readonly #making = new Map<string, Making>();
  #lent = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Whether memory that was given away has not come back: then nothing is kept that is not routed. */
  get lent(): boolean {
    return this.#lent;
  }

  /** Takes up what was lent before a restart. What was draining then went with the process. */
  async open(): Promise<void> {
    const { db } = this.#options;
    const records = await openRooms(db);
    this.#lent = records.length > 0;
    for (const record of records) {
      if (record.answer.state !== 'draining') continue;
      const steps = record.answer.steps.map((step) => ({ ...step, state: 'done' as const }));
      const reason = 'J-Prime restarted meanwhile, and holds none of it any more';
      await saveRoom(db, { ...record, answer: { ...record.answer, state: 'done', steps, reason } });
    }
  }

  /** Answers when it is done, or how far it is. @throws {CodedError} `invalid_request`, `idempotency_conflict` */
  async make(request: RoomRequest): Promise<MakeRoom> {
    if (Number.isNaN(Date.parse(request.by)))
      throw new CodedError('invalid_request', `by: "${request.by}" is not a time in RFC 3339`);
    const id = request.request_id;
    const asked = JSON.stringify([request.bytes, request.why]);
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
    throw new CodedError('not_found', `nobody asked for room as ${requestId}`);
  }

  /** Takes the memory back: loads again what may be wanted for a rollback. Answers what is in memory again. */
  async restore(): Promise<string[]> {
    const { db, fleet } = this.#options;
    const records = await openRooms(db);
    await closeRooms(db);
    this.#lent = false;
    const restored: string[] = [];
    for (const name of records.flatMap((record) => record.unloaded))
      if (await fleet.keepPrevious(name)) restored.push(labelOf(name));
    return restored;
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.#making.values()].map((making) => making.done));
  }

  #begin(request: RoomRequest, asked: string): Making {
    const id = request.request_id;
    const done = this.#answerOnce(request, asked).finally(() => this.#making.delete(id));
    const making = { asked, done };
    this.#making.set(id, making);
    return making;
  }

  async #answerOnce(request: RoomRequest, asked: string): Promise<MakeRoom> {
    const { db, fleet, clock } = this.#options;
    const known = await roomOf(db, request.request_id);
    if (known !== undefined && known.asked !== asked) throw usedBefore(request.request_id);
    if (known !== undefined) return known.answer;
    const idle = fleet.previous();
    if (idle.length > 0 && clock.now() <= Date.parse(request.by)) return this.#unload(request, asked, idle);
    const reason =
      idle.length > 0 ? 'its deadline is over' : 'every model in memory is routed: it answers requests';
    const answer: MakeRoom = {
      request_id: request.request_id,
      state: 'refused',
      steps: [],
      freed_bytes: 0,
      reason,
    };
    await saveRoom(db, { asked, answer, unloaded: [] });
    return answer;
  }

  async #unload(request: RoomRequest, asked: string, idle: readonly ServedVersion[]): Promise<MakeRoom> {
    const { db, fleet, measureBytes, logger } = this.#options;
    const unloaded = idle.map((served) => served.name);
    const draining: MakeRoom = {
      request_id: request.request_id,
      state: 'draining',
      steps: idle.map((served) => stepOf(served)),
      freed_bytes: 0,
      reason: `unloading ${unloaded.map(labelOf).join(', ')}`,
    };
    this.#lent = true;
    await saveRoom(db, { asked, answer: draining, unloaded });
    const beforeBytes = await measureBytes();
    await Promise.all(idle.map((served) => fleet.unloadPrevious(served)));
    const freedBytes = Math.max(0, beforeBytes - (await measureBytes()));
    const enough = freedBytes >= request.bytes ? '' : `, less than the ${request.bytes} asked for`;
    const answer: MakeRoom = {
      ...draining,
      state: 'done',
      steps: draining.steps.map((step) => ({ ...step, state: 'done' })),
      freed_bytes: freedBytes,
      reason: `unloaded ${unloaded.map(labelOf).join(', ')}: ${freedBytes} bytes fewer, as measured${enough}`,
    };
    await saveRoom(db, { asked, answer, unloaded });
    logger.info({ ...request, freed_bytes: freedBytes }, answer.reason);
    return answer;
  }
}

function stepOf(served: ServedVersion): MakeRoom['steps'][number] {
  return {
    what: `unload ${labelOf(served.name)}, which is kept for a rollback only`,
    frees_bytes: served.artifactBytes,
    state: 'planned',
  };
}

function labelOf(name: VersionName): string {
  return `${name.modelType} ${name.version}`;
}

function usedBefore(requestId: string): CodedError {
  return new CodedError('idempotency_conflict', `${requestId} was used for another request for room`);
}
