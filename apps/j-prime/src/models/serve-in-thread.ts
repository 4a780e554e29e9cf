// The half of a model's thread that lies in it: opens the model, measures it, answers run after run.
import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '@jarvis/contracts';
import { measureCost } from './measure-cost.ts';
import type { FromThread, OpenModel, ThreadData, ThreadError, ToThread } from './model-messages.ts';

/** Serves the model that this thread was started for. A failure to open it is told, and ends the thread. */
export async function serveInThread(open: OpenModel): Promise<void> {
  const port = parentPort;
  invariant(port !== null, 'a model is served by a thread that was started for it');
  const tell = (message: FromThread): void => port.postMessage(message);
  const { dir, sha256 } = workerData as ThreadData;
  try {
    const model = await open(dir, { sha256 });
    const costMs = await measureCost(model, () => performance.now());
    let runs = Promise.resolve();
    const answer = async (id: number, inputs: readonly Record<string, unknown>[]): Promise<void> => {
      try {
        tell({ kind: 'answered', id, predictions: await model.predict(inputs) });
      } catch (error) {
        tell({ kind: 'failed', id, error: toldError(error) });
      }
    };
    port.on('message', (message: ToThread) => {
      if (message.kind === 'run') runs = runs.then(() => answer(message.id, message.inputs));
      else void runs.then(() => model.dispose()).finally(() => port.close());
    });
    tell({ kind: 'ready', manifest: model.manifest, modelKind: model.kind, sha256: model.sha256, costMs });
  } catch (error) {
    tell({ kind: 'refused', error: toldError(error) });
    port.close();
  }
}

function toldError(error: unknown): ThreadError {
  const { message, code } = error as { message?: string; code?: unknown };
  return { message: message ?? String(error), code: typeof code === 'string' ? code : null };
}
