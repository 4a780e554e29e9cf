// A program: requests for predictions from so many connections, each at its own steady pace whatever becomes of the others,
// until it is told to stop. Every answer is a line of a file.
//   load.ts URL CONNECTIONS EVERY_MS FILE
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { makeAsker } from './asking.ts';
import type { Answered } from './swap-judge.ts';
import { TELLING_TEXT } from './versions.ts';

const [url = '', connectionsText = '', everyText = '', file = ''] = process.argv.slice(2);
const connections = Number(connectionsText);
const everyMs = Number(everyText);
const answered: Answered[] = [];
const stopping = new AbortController();
const zeroMs = performance.now();

async function connection(n: number): Promise<void> {
  const asker = makeAsker(url, 1);
  for (let i = 0; !stopping.signal.aborted; i += 1) {
    const dueMs = zeroMs + (i + n / connections) * everyMs;
    const early = dueMs - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    const startMs = Date.now();
    const { status, version, confidence, trouble } = await asker.ask(TELLING_TEXT, `session-${n}-${i}`).then(
      (a) => ({ status: a.status, version: a.body.version, confidence: a.body.confidence, trouble: '' }),
      (error: Error) => ({ status: 0, version: '', confidence: 0, trouble: error.message }),
    );
    const endMs = Date.now();
    // From when it was due: a request that waited for the one before it waited too.
    const tookMs = performance.now() - dueMs;
    answered.push({ startMs, endMs, tookMs, status, version, confidence, trouble });
  }
  asker.close();
}

const all = Promise.all(Array.from({ length: connections }, (_, n) => connection(n)));
process.send?.('ready');
await Promise.race([all, once(process, 'message')]);
stopping.abort();
await all;
await writeFile(file, answered.map((a) => `${JSON.stringify(a)}\n`).join(''));
process.disconnect();
