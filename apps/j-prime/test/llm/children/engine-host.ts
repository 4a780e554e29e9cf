// A process that runs an LLM server by the engine, as J-Prime does, until it is killed.
//   node engine-host.ts FOLDER COMMAND ARGS...
import { armFailpoints } from '@jarvis/failpoints';
import { engineIn } from '../engine-in.ts';

armFailpoints(process.env);
const [folder = '', command = '', ...args] = process.argv.slice(2);
const engine = await engineIn(folder, { command, args });
await engine.bring(new AbortController().signal);
process.stdout.write(`${JSON.stringify({ pids: await engine.pids(), url: engine.baseUrl() })}\n`);
setInterval(() => undefined, 1000);
