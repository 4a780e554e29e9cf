// Asks where each enabled service ought to be who answers there; starts and stops nothing.
import type { Environment, ServiceName } from '@jarvis/contracts';
import { type Probe, probe } from './probe.ts';
import { probeTimeoutMs } from './running.ts';
import { expectedOf, ownPrograms, serviceSpecs } from './services.ts';

export interface AskOptions {
  readonly environment: Environment;
  /** null: the home has no id, so that nothing that answers can be of it. */
  readonly homeId: string | null;
  readonly fetch: typeof fetch;
}

export interface ServiceAnswer {
  readonly service: ServiceName;
  readonly title: string;
  readonly url: string;
  readonly answer: Probe;
}

/** Throws SupervisorError('configuration'). */
export async function askServices({ environment, homeId, fetch }: AskOptions): Promise<ServiceAnswer[]> {
  const nowhere = { logs: '', execPath: '', cwd: '' }; // nothing is launched
  const specs = serviceSpecs({ environment, programs: ownPrograms(), ...nowhere });
  const http = { fetch, token: environment.JARVIS_API_TOKEN };
  return Promise.all(
    specs.map(async (spec) => ({
      service: spec.name,
      title: spec.title,
      url: spec.url,
      answer: await probe(spec.url, expectedOf(spec, homeId ?? ''), http, probeTimeoutMs),
    })),
  );
}
