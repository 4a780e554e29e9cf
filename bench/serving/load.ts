// The client, a process of its own: asks as often as it can over so many connections, for a while, and says how it went.
import { Pool } from 'undici';

export interface LoadOrder {
  readonly url: string;
  readonly path: string;
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly windowMs: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 200. */
  readonly failures: number;
}

const HEADERS = { 'content-type': 'application/json' };

async function load({ url, path, bodies, connections, windowMs }: LoadOrder): Promise<LoadResult> {
  const pool = new Pool(url, { connections, pipelining: 1 });
  const tookMs: number[] = [];
  let failures = 0;
  let asked = 0;
  const from = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - from < windowMs) {
      const startedMs = performance.now();
      const body = bodies[asked++ % bodies.length] ?? '';
      const answer = await pool.request({ path, method: 'POST', headers: HEADERS, body });
      await answer.body.text();
      if (answer.statusCode === 200) tookMs.push(performance.now() - startedMs);
      else failures += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const seconds = (performance.now() - from) / 1000;
  await pool.close();
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor(share * tookMs.length)] ?? 0;
  return { perSecond: tookMs.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), failures };
}

process.on('message', (order: LoadOrder) => {
  void load(order).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      throw error;
    },
  );
});
