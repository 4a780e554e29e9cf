// The data of JARVIS Core as a program, for `jarvis migrate` and the demo: `database.ts rehearse | migrate | drop`.
import { createLogger, readConfigOrExit, systemClock, systemRandom } from '@jarvis/runtime';
import { runStoreProgram } from '@jarvis/store';
import { storePlace } from './store/place.ts';

// oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
const config = readConfigOrExit({ environment: process.env, cwd: process.cwd() });
process.exitCode = await runStoreProgram(process.argv[2], {
  ...storePlace(config),
  folder: config.paths.core,
  clock: systemClock,
  random: systemRandom,
  log: createLogger({ service: 'jarvis-core', level: 'error' }),
});
