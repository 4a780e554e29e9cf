// A small JARVIS Core: memory leases that it grants, or not, as it is told.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Lease, leaseRequestSchema, type LeaseState } from '@jarvis/contracts';
import { ReturningServer } from '@jarvis/testkit';

export class FixtureCore extends ReturningServer {
  /** What becomes of the next requests. */
  grants: 'at once' | 'never' | 'refused' = 'at once';
  readonly leases = new Map<string, Lease>();
  /** Bodies of the requests for leases. */
  readonly asked: unknown[] = [];
  renewals = 0;
  ttlSeconds = 60;

  /** The newest of them. */
  get last(): Lease | undefined {
    return [...this.leases.values()].at(-1);
  }

  live(): Lease[] {
    return [...this.leases.values()].filter((l) => ['requested', 'draining', 'granted'].includes(l.state));
  }

  grantAll(): void {
    for (const lease of this.live()) this.#change(lease.lease_id, 'granted', 'there is room');
  }

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? '';
    const id = /^\/api\/leases\/([^/]+)/.exec(path)?.[1];
    if (id === undefined && req.method === 'GET')
      return json(res, 200, { leases: [...this.leases.values()] });
    if (id === undefined) return this.#request(req, res);
    const lease = this.leases.get(id);
    if (lease === undefined) return json(res, 404, {});
    if (path.endsWith('/renew')) this.renewals += 1;
    if (req.method === 'DELETE') this.#change(id, 'released', 'given back');
    return json(res, 200, this.leases.get(id));
  }

  async #request(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const { holder, need, purpose } = leaseRequestSchema.parse(body);
    this.asked.push(body);
    const ram = need?.ram_bytes ?? 0;
    const known = this.live().find((l) => l.holder === holder);
    if (known !== undefined && known.need.ram_bytes !== ram) return json(res, 409, conflict);
    if (known !== undefined) return json(res, 200, known);
    const state = { 'at once': 'granted', never: 'requested', refused: 'refused' } as const;
    const lease: Lease = {
      lease_id: `lease-${this.leases.size + 1}`,
      holder,
      purpose,
      state: state[this.grants],
      need: { host_id: 'here', ram_bytes: ram, vram_bytes: {} },
      reason: this.grants === 'at once' ? 'there is room' : 'a training holds the memory',
      granted_at: null,
      expires_at: null,
      ttl_seconds: this.ttlSeconds,
      reclaim_requested: null,
    };
    this.leases.set(lease.lease_id, lease);
    return json(res, 200, lease);
  }

  #change(id: string, state: LeaseState, reason: string): void {
    const lease = this.leases.get(id);
    if (lease !== undefined) this.leases.set(id, { ...lease, state, reason });
  }
}

const conflict = {
  type: 'urn:jarvis:error:job_conflict',
  title: 'This job_id was used with another body',
  status: 409,
  detail: 'it has a lease with another need',
  code: 'job_conflict',
  error: 'it has a lease with another need',
};

function json(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
