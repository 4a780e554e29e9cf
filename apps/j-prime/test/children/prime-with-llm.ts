// J-Prime as a program, in front of the fixture LLM server on the port that FIXTURE_LLM_PORT names; failpoints as planned.
import { armFailpoints } from '@jarvis/failpoints';
import { readConfigOrExit, runService, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { startJPrime } from '../../src/app.ts';
import { FixtureEngine } from '../fixture-llm/engine.ts';

const { FIXTURE_LLM_PORT, ...environment } = process.env;
armFailpoints(environment);
const config = readConfigOrExit({ environment, cwd: process.cwd() });
const engine = new FixtureEngine({ port: Number(FIXTURE_LLM_PORT) });
const logger = silentLogger();
await runService(logger, () =>
  startJPrime({ config, clock: systemClock, random: systemRandom, logger, createEngine: async () => engine }),
);
