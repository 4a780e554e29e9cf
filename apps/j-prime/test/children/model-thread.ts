// The program of a model's thread, of a model that misbehaves: versions whose intent is `two` do what a text's first word
// says, for real. The others answer as they should.
import { BroadcastChannel } from 'node:worker_threads';
import { type LoadedModel, loadModel } from '@jarvis/model-kinds';
import { serveInThread } from '../../src/models/serve-in-thread.ts';

const SLOW_MS = 20;

const blockFor = (ms?: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const DEEDS: Readonly<Record<string, () => void | Promise<void>>> = {
  exit: () => process.exit(7),
  uncaught: () =>
    new Promise(() => {
      setImmediate(() => {
        throw new Error('nobody catches this');
      });
    }),
  heap: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from<number>({ length: 4_000_000 }).fill(0.5));
  },
  hang: () => blockFor(),
  slow: () => blockFor(SLOW_MS),
  /** Until somebody says `go on` on the channel of this name. */
  held: () =>
    new Promise((resolve) => {
      const channel = new BroadcastChannel('held models');
      channel.addEventListener('message', () => {
        channel.close();
        resolve();
      });
    }),
};

async function misbehaving(dir: string, options: { sha256: string }): Promise<LoadedModel> {
  const model = await loadModel(dir, options);
  const isBad = model.manifest.labels[0] === 'two';
  const isSlow = model.manifest.labels[0] === 'slow';
  return {
    ...model,
    predict: async (inputs) => {
      if (isSlow) blockFor(SLOW_MS);
      if (isBad) for (const { text } of inputs) await DEEDS[String(text).split(' ')[0] ?? '']?.();
      return model.predict(inputs);
    },
  };
}

await serveInThread(misbehaving);
