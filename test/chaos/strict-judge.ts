// Reactor Core with a judge that is stricter than it has to be: some pieces of evidence it never takes, as one of another
// make or of another age might. All else is Reactor Core as it is.
import { createHash } from 'node:crypto';
import { subscribe } from 'node:diagnostics_channel';
import { CodedError } from '@jarvis/contracts';

const REACTOR_CORE = new URL('../../apps/reactor-core/src/main.ts', import.meta.url).href;
/** Of so many pieces one is refused, whenever it comes. */
const ONE_REFUSED_OF = 4;

interface Server {
  addHook(name: 'preHandler', hook: (request: Request) => Promise<void>): void;
}

interface Request {
  readonly routeOptions: { readonly url?: string };
  readonly body: unknown;
}

subscribe('fastify.initialization', (message) => {
  (message as { fastify: Server }).fastify.addHook('preHandler', judge);
});

async function judge({ routeOptions, body }: Request): Promise<void> {
  if (routeOptions.url !== '/api/evidence') return;
  const { evidence } = body as { evidence: readonly { evidence_id: string }[] };
  const refused = evidence.find(({ evidence_id: id }) => isRefused(id));
  if (refused !== undefined)
    throw new CodedError('invalid_request', `this judge does not take ${refused.evidence_id}`);
}

function isRefused(evidenceId: string): boolean {
  const [byte] = createHash('sha256').update(evidenceId).digest();
  return byte !== undefined && byte % ONE_REFUSED_OF === 0;
}

await import(REACTOR_CORE);
