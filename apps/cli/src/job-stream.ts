// A job's events as one sequence, across broken connections and restarts of the service: each event once, in order.
import {
  CodedError,
  ERROR_CODES,
  isTerminal,
  JOB_LIFECYCLE,
  JOB_STREAM_EVENTS,
  type JobEvent,
  jobEventSchema,
} from '@jarvis/contracts';
import { type Clock, readSse } from '@jarvis/runtime';

export interface JobStreamOptions {
  /** Of JARVIS Core. */
  readonly baseUrl: string;
  readonly token: string | null;
  readonly jobId: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long the service may be away before the stream is given up. */
  readonly awayMaxMs: number;
}

export interface NamedJobEvent {
  readonly name: (typeof JOB_STREAM_EVENTS)[number];
  readonly event: JobEvent;
}

const RECONNECT_DELAY_MS = 200;

/** Ends after the event with the job's terminal state, or when the signal fires. Throws what the service said, or `service_unavailable` when it is away too long. */
export async function* followJob(options: JobStreamOptions): AsyncGenerator<NamedJobEvent, void> {
  const { baseUrl, token, jobId, clock, signal } = options;
  let lastEventId: string | null = null;
  let heardAt = clock.monotonic();
  while (!signal.aborted) {
    try {
      const url = `${baseUrl}/api/jobs/${encodeURIComponent(jobId)}/stream`;
      for await (const received of readSse({ url, lastEventId, token, signal })) {
        lastEventId = received.id ?? lastEventId;
        heardAt = clock.monotonic();
        const name = JOB_STREAM_EVENTS.find((n) => n === received.event);
        if (name === undefined) continue;
        const event = jobEventSchema.parse(received.data);
        yield { name, event };
        if (isTerminal(JOB_LIFECYCLE, event.state)) return;
      }
    } catch (error) {
      if (!(error instanceof CodedError) || ERROR_CODES[error.code].status !== 503) throw error;
      if (clock.monotonic() - heardAt > options.awayMaxMs) throw error;
    }
    await clock.sleep(RECONNECT_DELAY_MS, signal);
  }
}
