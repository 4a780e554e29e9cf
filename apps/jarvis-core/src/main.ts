// JARVIS Core as a program: experiences, triggers, queue, locks, memory budget.
import { armFailpoints } from '@jarvis/failpoints';
import { createLogger, readConfigOrExit, runService, systemClock, systemRandom } from '@jarvis/runtime';
import { startJarvisCore } from './app.ts';

// oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
const environment = process.env;
armFailpoints(environment);
const config = readConfigOrExit({ environment, cwd: process.cwd() });
const logger = createLogger({ service: 'jarvis-core', level: config.env.JARVIS_LOG_LEVEL });
await runService(logger, () => startJarvisCore({ config, clock: systemClock, random: systemRandom, logger }));
