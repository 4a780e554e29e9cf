// One ONNX Runtime session: one thread, no spinning (idle threads that spin double the time of a busy machine).
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { ArtifactError } from './artifact.ts';

export interface OnnxSession {
  run(feeds: Record<string, Tensor>): Promise<InferenceSession.ReturnType>;
  int32(data: Int32Array, dims: readonly number[]): Tensor;
  float32(data: Float32Array, dims: readonly number[]): Tensor;
  /** Waits for running predictions, then frees the session; safe to call twice. */
  dispose(): Promise<void>;
}

const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
};

/** Since 1.29 ONNX Runtime tells Microsoft what it loads, and leaves files in HOME and TMPDIR; it reads this when it is loaded. */
function keepToOurselves(): void {
  // oxlint-disable-next-line no-restricted-properties -- the library's only switch
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
}

async function create(name: string, bytes: Uint8Array) {
  keepToOurselves();
  // The native library loads here and not at import: a trainer that only encodes never pays for it.
  const ort = await import('onnxruntime-node');
  try {
    return { ort, session: await ort.InferenceSession.create(bytes, SESSION_OPTIONS) };
  } catch (error) {
    throw new ArtifactError(
      'artifact_unreadable',
      `${name} can't be opened by ONNX Runtime: ${String(error)}`,
      { cause: error },
    );
  }
}

/** Opens a graph held in memory. @throws {ArtifactError} `artifact_unreadable` */
export async function openSession(name: string, bytes: Uint8Array): Promise<OnnxSession> {
  const { ort, session } = await create(name, bytes);
  const running = new Set<Promise<unknown>>();
  let released: Promise<void> | undefined;
  return {
    async run(feeds) {
      if (released !== undefined) throw new Error(`${name} was disposed of`);
      const run = session.run(feeds);
      running.add(run);
      try {
        return await run;
      } finally {
        running.delete(run);
      }
    },
    int32: (data, dims) => new ort.Tensor('int32', data, dims),
    float32: (data, dims) => new ort.Tensor('float32', data, dims),
    dispose() {
      released ??= Promise.allSettled(running).then(() => session.release());
      return released;
    },
  };
}
