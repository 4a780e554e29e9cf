// An outbox as its gauges.
import type { Outbox } from '@jarvis/contracts';
import type { Put } from './meter.ts';

export function putOutbox(put: Put, outbox: Outbox): void {
  put('jarvis_outbox_pending', {}, outbox.pending);
  put('jarvis_outbox_oldest_age_seconds', {}, outbox.oldest_age_seconds ?? 0);
  put('jarvis_outbox_refused', {}, outbox.refused);
}
