// MLServer as a program that serves an nlu artifact by the runtime of `python/nlu_runtime.py`.
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { afterwards, exited, freePorts, tempFolder, until } from '@jarvis/testkit';
import { programOf, SCRIPTS } from './python.ts';

/** It imports half of its dependencies before it listens. */
const START_LIMIT_MS = 120_000;

const TENSORS = {
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
  outputs: [
    { name: 'intent', datatype: 'BYTES', shape: [-1] },
    { name: 'confidence', datatype: 'FP32', shape: [-1] },
  ],
};

/** Resolves to its address once the model is ready. */
export async function startMlServer(t: TestContext, artifactDir: string, version: string): Promise<string> {
  const folder = await tempFolder(t);
  const [http_port, grpc_port, metrics_port] = await freePorts(3);
  const ports = { http_port, grpc_port, metrics_port };
  // No processes of its own for the models, and no log line for each request.
  const settings = { host: '127.0.0.1', ...ports, parallel_workers: 0, debug: false };
  await writeFile(join(folder, 'settings.json'), JSON.stringify(settings));
  const model = {
    name: 'nlu',
    implementation: 'nlu_runtime.NluRuntime',
    platform: 'onnx_onnxv1',
    ...TENSORS,
    parameters: { uri: artifactDir, version },
  };
  await writeFile(join(folder, 'model-settings.json'), JSON.stringify(model));
  const child = spawn(programOf('mlserver'), ['start', folder], {
    env: { ...process.env, PYTHONPATH: SCRIPTS, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => (said = `${said}${piece.toString()}`.slice(-4000)));
  afterwards(t, async () => {
    child.kill('SIGKILL');
    await exited(child);
  });
  const url = `http://127.0.0.1:${http_port}`;
  const isReady = (): Promise<boolean> =>
    fetch(`${url}/v2/models/nlu/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(() => `MLServer to be ready; it said: ${said}`, isReady, START_LIMIT_MS);
  return url;
}
