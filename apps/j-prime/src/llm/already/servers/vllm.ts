// vLLM. It sleeps only where it was started for that. Level 2 drops the weights; level 1 would move them into main memory,
// where they are as much in the way as before. Its own word for "asleep" says nothing of how much that freed.
import { z } from 'zod';
import type { Adapter, Ground, Sight } from '../adapter.ts';
import { CallFailed, type Calls } from '../calls.ts';
import { modelListSchema, namesOf } from './openai-models.ts';

const sleepingSchema = z.object({ is_sleeping: z.boolean() });
const NO_SUCH_PATH = 404;
const CANNOT =
  'vLLM gives memory back only when it was started with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1 (it has no /is_sleeping)';

export function createVllm({ calls }: Ground): Adapter {
  return {
    kind: 'vllm',
    async look(signal): Promise<Sight> {
      const [list, asleep, metrics] = await Promise.all([
        calls.look('/v1/models', modelListSchema, signal),
        isSleeping(calls, signal),
        calls.lookAtText('/metrics', signal),
      ]);
      if (asleep !== true) await calls.lookAtText('/health', signal);
      const level = levelOf(metrics);
      const running = sumOf(metrics, 'vllm:num_requests_running');
      const waiting = sumOf(metrics, 'vllm:num_requests_waiting');
      const listed = namesOf(list);
      return {
        state: asleep === true ? 'asleep' : 'ready',
        listed,
        loaded: asleep === true && level !== 1 ? [] : listed,
        running: running === null ? null : running + (waiting ?? 0),
        statedBytes: null,
        detail: asleep === true ? toldAsleep(level) : `serves ${listed.join(', ')}`,
        way: asleep === null ? null : 'sleep',
        cannot: asleep === null ? CANNOT : null,
      };
    },
    async release(_, signal) {
      // `wait`: a request that came past J-Prime in the last moment is finished, where by default it would be cut off.
      await calls.act('POST', '/sleep?level=2&mode=wait', signal);
    },
    async bring(_, __, signal) {
      const level = levelOf(await calls.lookAtText('/metrics', signal));
      if ((await isSleeping(calls, signal)) !== true) return;
      if (level === 1) return await calls.act('POST', '/wake_up', signal);
      // In this order: the cache is made where the weights have left room.
      await calls.act('POST', '/wake_up?tags=weights', signal);
      await calls.act('POST', '/collective_rpc', signal, { method: 'reload_weights' });
      await calls.act('POST', '/wake_up?tags=kv_cache', signal);
    },
  };
}

/** null: it was not started for sleeping. */
async function isSleeping(calls: Calls, signal: AbortSignal): Promise<boolean | null> {
  try {
    return (await calls.look('/is_sleeping', sleepingSchema, signal)).is_sleeping;
  } catch (error) {
    if (error instanceof CallFailed && error.status === NO_SUCH_PATH) return null;
    throw error;
  }
}

function toldAsleep(level: 1 | 2 | null): string {
  if (level === 1) return 'sleeps at level 1: its weights lie in main memory, which is not freed';
  return level === 2 ? 'sleeps at level 2' : 'sleeps, and does not say at which level';
}

/** null: it is awake, or is older than that metric. */
function levelOf(metrics: string): 1 | 2 | null {
  const samples = samplesOf(metrics, 'vllm:engine_sleep_state');
  const is = (state: string): boolean =>
    samples.some(({ labels, value }) => labels.includes(`sleep_state="${state}"`) && value > 0);
  // One engine of several that keeps its weights in main memory is enough.
  if (is('weights_offloaded')) return 1;
  return is('discard_all') ? 2 : null;
}

/** Over all engines; null where it has no such metric. */
function sumOf(metrics: string, name: string): number | null {
  const samples = samplesOf(metrics, name);
  return samples.length === 0 ? null : samples.reduce((sum, { value }) => sum + value, 0);
}

function samplesOf(metrics: string, name: string): { labels: string; value: number }[] {
  return metrics.split('\n').flatMap((line) => {
    if (!line.startsWith(name)) return [];
    const [, labels = '', value = ''] = /^(?:\{(.*)\})?\s+(\S+)/.exec(line.slice(name.length)) ?? [];
    return value === '' || !Number.isFinite(Number(value)) ? [] : [{ labels, value: Number(value) }];
  });
}
