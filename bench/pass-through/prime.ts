// J-Prime as a program of its own, in front of an LLM server that is there: `prime.ts URL`, with its environment as usual.
import { type EngineLook, type LlmEngine, startJPrime } from '@jarvis/j-prime';
import { createLogger, readConfigOrExit, runService, systemClock, systemRandom } from '@jarvis/runtime';

const url = process.argv[2] ?? '';
const config = readConfigOrExit({ environment: process.env, cwd: process.cwd() });
const logger = createLogger({ service: 'j-prime', level: config.env.JARVIS_LOG_LEVEL });

/** It is there, and stays. */
const engine: LlmEngine = {
  name: `the bare server at ${url}`,
  ways: [],
  cannot: 'it is not ours',
  apiKey: null,
  startsWhatIsAway: false,
  baseUrl: () => url,
  look: async (): Promise<EngineLook> => {
    const isThere = await fetch(`${url}/v1/models`).then(
      (response) => response.ok,
      () => false,
    );
    const state = isThere ? 'ready' : 'away';
    return { state, models: [], running: null, statedBytes: null, detail: state };
  },
  release: async () => {},
  bring: async () => {},
  pids: async () => [],
  close: async () => {},
};

await runService(logger, () =>
  startJPrime({ config, clock: systemClock, random: systemRandom, logger, createEngine: async () => engine }),
);
