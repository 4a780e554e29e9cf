// Who is measured: each a process of its own that serves the same model, with the body it wants and the answer it gives.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MODEL_MANIFEST_FILE, modelManifestSchema } from '@jarvis/contracts';
import { nlu } from '@jarvis/model-kinds';
import { exited, freePort, freePorts, until } from '@jarvis/testkit';
import { end, untilLine } from '../shared/children.ts';
import { startService } from '../shared/service.ts';
import { rivalsPython } from './cache.ts';
import { serveArtifact } from './reactor.ts';

const BARE = fileURLToPath(new URL('bare.ts', import.meta.url));
const RIVALS = fileURLToPath(new URL('rivals', import.meta.url));
const READY_LIMIT_MS = 120_000;

export interface Contender {
  readonly name: string;
  readonly url: string;
  readonly path: string;
  readonly bodyOf: (text: string) => string;
  /** The intent in an answer. */
  readonly intentOf: (answer: unknown) => unknown;
  stop(): Promise<void>;
}

export async function startBare(dir: string, name: string): Promise<Contender> {
  const port = await freePort();
  const child = spawn(process.execPath, [BARE, String(port), dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  await untilLine(child, (line) => line === 'ready');
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    path: '/predict',
    bodyOf: (text) => JSON.stringify({ text }),
    intentOf: (answer) => (answer as { intent: unknown }).intent,
    stop: () => end(child),
  };
}

/** J-Prime's own call, and the Open Inference Protocol's where it is served. */
export async function startPrime(dir: string, home: string): Promise<Contender[]> {
  const reactor = await serveArtifact(dir);
  const environment = { DATABASE_URL: '', JARVIS_HOME: home, REACTOR_CORE_API_URL: reactor.url };
  const prime = await startService('j-prime', environment);
  const stop = async (): Promise<void> => {
    await prime.stop();
    reactor.server.closeAllConnections();
    reactor.server.close();
  };
  const own: Contender = {
    name: 'J-Prime, its own call',
    url: prime.url,
    path: '/api/predict/nlu',
    bodyOf: (text) => JSON.stringify({ input: { text }, session_id: 'session-1' }),
    intentOf: (answer) => (answer as { output: { intent: unknown } }).output.intent,
    stop,
  };
  const v2: Contender = {
    name: 'J-Prime, Open Inference Protocol v2',
    url: prime.url,
    path: '/v2/models/nlu/infer',
    bodyOf: (text) =>
      JSON.stringify({ inputs: [{ name: 'text', shape: [1], datatype: 'BYTES', data: [text] }] }),
    intentOf: (answer) => outputOf(answer, 'intent'),
    stop: async () => {},
  };
  await until('J-Prime to serve', () => answers(own));
  return (await answers(v2)) ? [own, v2] : [own];
}

function outputOf(answer: unknown, name: string): unknown {
  const { outputs } = answer as { outputs: { name: string; data: unknown[] }[] };
  return outputs.find((output) => output.name === name)?.data[0];
}

export async function answers({ url, path, bodyOf }: Contender): Promise<boolean> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url + path, { method: 'POST', headers, body: bodyOf('hello there') }).then(
    (response) => response.ok,
    () => false,
  );
}

/** A text as the graph takes it: what the rivals are given. */
export async function encoderOf(
  dir: string,
): Promise<(text: string) => { rows: number[]; values: number[] }> {
  const manifest = modelManifestSchema.parse(
    JSON.parse(await readFile(join(dir, MODEL_MANIFEST_FILE), 'utf8')),
  );
  const { features, unknown_idf } = nlu.nluEncodingSchema.parse(manifest.encoding);
  const bytes = await readFile(join(dir, nlu.VOCABULARY_FILE));
  const vocabulary = nlu.readVocabulary(bytes, features, unknown_idf);
  return (text) => {
    const { rows, values } = nlu.encode(vocabulary, text);
    return { rows: [...rows], values: [...values] };
  };
}

type Encode = Awaited<ReturnType<typeof encoderOf>>;

export async function startMlServer(dir: string, work: string, encode: Encode): Promise<Contender> {
  const [http, grpc, metrics] = await freePorts(3);
  const settings = {
    host: '127.0.0.1',
    http_port: http,
    grpc_port: grpc,
    metrics_port: metrics,
    // In the server's own process: for a model as small as this its default, a worker process, is slower.
    parallel_workers: 0,
    logging_settings: null,
    debug: false,
  };
  await writeFile(join(work, 'settings.json'), JSON.stringify(settings));
  const model = { name: 'nlu', implementation: 'mlserver_runtime.Intents' };
  await writeFile(join(work, 'model-settings.json'), JSON.stringify(model));
  const child = spawn(rivalsPython(), ['-m', 'mlserver.cli.main', 'start', work], {
    env: { ...process.env, PYTHONPATH: RIVALS, BENCH_ARTIFACT: dir },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const tensor = (name: string, datatype: string, data: number[]): object => ({
    name,
    shape: [1, data.length],
    datatype,
    data,
  });
  const contender: Contender = {
    name: 'MLServer',
    url: `http://127.0.0.1:${http}`,
    path: '/v2/models/nlu/infer',
    bodyOf: (text) => {
      const { rows, values } = encode(text);
      return JSON.stringify({ inputs: [tensor('rows', 'INT32', rows), tensor('values', 'FP32', values)] });
    },
    intentOf: (answer) => outputOf(answer, 'intent'),
    stop: () => end(child),
  };
  await until('MLServer to serve', () => answers(contender), READY_LIMIT_MS);
  return contender;
}

export async function startRayServe(dir: string, encode: Encode): Promise<Contender> {
  const port = await freePort();
  const child = spawn(rivalsPython(), [join(RIVALS, 'ray_app.py'), String(port)], {
    env: {
      ...process.env,
      PYTHONPATH: RIVALS,
      BENCH_ARTIFACT: dir,
      RAY_USAGE_STATS_ENABLED: '0',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  await untilLine(child, (line) => line === 'ready');
  const contender: Contender = {
    name: 'Ray Serve',
    url: `http://127.0.0.1:${port}`,
    path: '/',
    bodyOf: (text) => JSON.stringify(encode(text)),
    intentOf: (answer) => (answer as { intent: unknown }).intent,
    stop: async () => {
      child.stdin.end();
      await exited(child);
    },
  };
  await until('Ray Serve to serve', () => answers(contender), READY_LIMIT_MS);
  return contender;
}
