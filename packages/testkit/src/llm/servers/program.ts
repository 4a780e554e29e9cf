// A fixture of a model server as a program of its own, so that what it takes and gives back can be measured from outside.
//
//   node --expose-gc program.ts ollama '{"memoryMb": 100}'      prints its address when it listens
import { MODEL_SERVERS } from './index.ts';

const [kind, options = '{}'] = process.argv.slice(2);
const make = MODEL_SERVERS[kind as keyof typeof MODEL_SERVERS];
const server = make(JSON.parse(options) as object);
await server.start();
process.stdout.write(`${server.url}\n`);
