// Of a batch that is more than is told: each checkpoint once, and the latest of everything else.
import type { TrainerEvent } from '@jarvis/contracts';

export function latestOf(events: readonly TrainerEvent[]): TrainerEvent[] {
  const last = new Map(events.map((event, i) => [subjectOf(event), i]));
  return events.filter((event, i) => last.get(subjectOf(event)) === i);
}

/** Events of one subject say the same thing anew. */
function subjectOf(event: TrainerEvent): string {
  switch (event.type) {
    case 'started':
    case 'progress':
      return event.type;
    case 'checkpoint':
      return `checkpoint ${event.epoch}`;
    case 'completed':
    case 'preempted':
    case 'failed':
      return 'last word';
  }
}
