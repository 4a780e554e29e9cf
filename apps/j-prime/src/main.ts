// J-Prime as a program: models in memory, routing between versions.
import { armFailpoints } from '@jarvis/failpoints';
import { createLogger, readConfigOrExit, runService, systemClock, systemRandom } from '@jarvis/runtime';
import { startJPrime } from './app.ts';
import { createLlmEngine } from './llm/choose.ts';

// oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
const environment = process.env;
armFailpoints(environment);
const config = readConfigOrExit({ environment, cwd: process.cwd() });
const logger = createLogger({ service: 'j-prime', level: config.env.JARVIS_LOG_LEVEL });
const shared = { config, clock: systemClock, random: systemRandom, logger };
await runService(logger, () =>
  startJPrime({
    ...shared,
    createEngine: () => createLlmEngine({ ...shared, environment, cwd: process.cwd() }),
  }),
);
