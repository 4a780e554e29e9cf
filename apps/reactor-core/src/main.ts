// Reactor Core as a program: training runs, registry, deployments and their judge.
import { armFailpoints } from '@jarvis/failpoints';
import { createLogger, readConfigOrExit, runService, systemClock, systemRandom } from '@jarvis/runtime';
import { startReactorCore } from './app.ts';

// oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
const environment = process.env;
armFailpoints(environment);
const config = readConfigOrExit({ environment, cwd: process.cwd() });
const logger = createLogger({ service: 'reactor-core', level: config.env.JARVIS_LOG_LEVEL });
await runService(logger, () =>
  startReactorCore({ config, environment, clock: systemClock, random: systemRandom, logger }),
);
