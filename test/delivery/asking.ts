// Requests for predictions over connections that stay open: to one J-Prime, so many at a time.
import { Agent, request } from 'node:http';
import type { PredictResponse } from '@jarvis/contracts';

const ANSWER_LIMIT_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly body: PredictResponse;
}

export interface Asker {
  ask(text: string, sessionId?: string): Promise<Answer>;
  close(): void;
}

/** @param url of J-Prime, @param connections kept open at most */
export function makeAsker(url: string, connections: number): Asker {
  const agent = new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
  const ask = (text: string, sessionId?: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify({ input: { text }, session_id: sessionId });
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const options = { agent, method: 'POST', headers, timeout: ANSWER_LIMIT_MS };
      const req = request(`${url}/api/predict/nlu`, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answered = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(answered) as PredictResponse });
        });
      });
      req.on('timeout', () => req.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)));
      req.on('error', reject);
      req.end(body);
    });
  return { ask, close: () => agent.destroy() };
}

/** Does `work` with every item, `atOnce` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
