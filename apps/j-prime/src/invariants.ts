// `GET /api/invariants`: what must never break, held against what is stored, what lies on this disk and what is served.
import { invariantReportSchema } from '@jarvis/contracts';
import { checkPrimeInvariants, type PrimeFacts } from '@jarvis/policy';
import type { HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Room } from './leases/room.ts';
import type { CacheAudit } from './models/cache-audit.ts';
import type { Fleet } from './models/fleet.ts';
import { readOutboxFacts, readRoomFacts } from './store/invariants.ts';

export interface InvariantRoutesOptions {
  readonly db: Database;
  readonly audit: CacheAudit;
  readonly fleet: Fleet;
  readonly room: Room;
}

export function addInvariantRoutes(server: HttpServer, options: InvariantRoutesOptions): void {
  const { db, audit, fleet, room } = options;
  const schema = {
    summary: 'Which invariants were checked, and which are broken',
    response: { 200: invariantReportSchema },
  };
  server.get('/api/invariants', { schema }, async () => {
    const stored = await db.transaction('prime.invariants.read', async (tx) => {
      const outbox = await readOutboxFacts(tx);
      const facts = await readRoomFacts(tx);
      // Within the transaction: nothing is lent or given back between the two.
      return { outbox, room: { ...facts, lent: room.lent } };
    });
    const { files, note } = await audit.look();
    return checkPrimeInvariants({ ...stored, files, served: servedOf(fleet), notes: [note] });
  });
}

function servedOf(fleet: Fleet): PrimeFacts['served'] {
  return fleet.list().map(({ served }) => {
    const { name, state, detail } = served;
    const serving = fleet.serving(name.modelType);
    const answers = serving?.stable === served || serving?.trial?.candidate === served;
    return { name: `${name.modelType} ${name.version}`, state, detail, answers };
  });
}
