// What of an event is a trainer's last word. Its texts go into the store, into answers and logs: no control characters,
// which not every store takes, and no more of them than a person reads.
import type { TrainerEvent } from '@jarvis/contracts';
import type { LastWord } from '../store/runs.ts';

const CODE_CHARS_MAX = 100;
const MESSAGE_CHARS_MAX = 4_000;

export function lastWordOf(event: TrainerEvent): LastWord | null {
  switch (event.type) {
    case 'completed':
      return { type: 'completed', metrics: event.metrics };
    case 'preempted':
      return { type: 'preempted', epoch: event.epoch };
    case 'failed':
      return {
        type: 'failed',
        code: readable(event.code, CODE_CHARS_MAX),
        message: readable(event.message, MESSAGE_CHARS_MAX),
        retryable: event.retryable,
      };
    case 'started':
    case 'progress':
    case 'checkpoint':
      return null;
  }
}

function readable(text: string, charsMax: number): string {
  return text
    .slice(0, charsMax)
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD');
}
