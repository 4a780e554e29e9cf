// Serves one GGUF file as a program of its own: a broken file or a broken library ends this process, and no other.
//
//   node server.ts --model model.gguf --port 8080 [--context 4096] [--threads 4] [--library FOLDER]
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { createGgufServer } from './http.ts';
import { findLibrary, LIBRARY_FOLDER, loadLibrary, NOT_INSTALLED } from './library.ts';
import { LoadedModel } from './model.ts';

const HOST = '127.0.0.1';
const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    port: { type: 'string' },
    context: { type: 'string', default: '4096' },
    // The library's own choice stalls on a machine that has other work; one is left for that.
    threads: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    library: { type: 'string', default: LIBRARY_FOLDER },
  },
});
const modelPath = values.model ?? '';
let loaded: LoadedModel | null = null;

function end(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}

const server = createGgufServer({
  model: () => loaded,
  name: basename(modelPath, '.gguf'),
  // The runtime of the services has these too, with 20 MB and more that a model could use.
  now: () => performance.timeOrigin + performance.now(),
  newId: randomUUID,
});
server.on('error', (error) => end(`cannot listen on ${HOST}:${values.port}: ${error.message}`));
server.listen(Number(values.port), HOST);
// Memory goes with the process: nothing has to be put away first.
process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));

const library = findLibrary(values.library);
if (library === null) end(NOT_INSTALLED);
try {
  loaded = await LoadedModel.open(await loadLibrary(library), {
    modelPath,
    contextTokens: Number(values.context),
    threads: Number(values.threads),
  });
  process.stdout.write(
    `${modelPath} is loaded: ${loaded.contextTokens} tokens of context, ${values.threads} threads\n`,
  );
} catch (error) {
  end(`${modelPath} cannot be loaded: ${(error as Error).message}`);
}
