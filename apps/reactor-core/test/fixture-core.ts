// A small JARVIS Core: a real HTTP server that grants slot locks and memory leases as the contract says, and remembers.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CodedError,
  type Lease,
  leaseRequestSchema,
  type LeaseState,
  lockAcquireSchema,
  lockHeldRequestSchema,
} from '@jarvis/contracts';
import { problemOf } from '@jarvis/runtime';
import { ReturningServer } from '@jarvis/testkit';

const TTL_SECONDS = 60;

interface Held {
  token: number;
  holder: string | null;
}

export class FixtureCore extends ReturningServer {
  readonly locks = new Map<string, Held>();
  readonly leases = new Map<string, Lease>();
  /** What a lease that is asked for becomes. */
  grants: LeaseState = 'granted';
  /** Of a job that does not say what it needs. */
  need = { ram_bytes: 1024 ** 3, vram_bytes: {} };
  /** Every call that changes something, as `acquire training/0`. */
  readonly calls: string[] = [];

  /** Somebody else takes a slot, whoever has it. */
  take(name: string, holder: string): number {
    const token = (this.locks.get(name)?.token ?? 0) + 1;
    this.locks.set(name, { token, holder });
    return token;
  }

  settleLeases(state: LeaseState, reason = ''): void {
    for (const lease of this.leases.values())
      if (lease.state === 'requested') this.leases.set(lease.lease_id, { ...lease, state, reason });
  }

  /** Nobody has a slot, and every lease is over. */
  get isClear(): boolean {
    const over: readonly LeaseState[] = ['released', 'refused'];
    return (
      [...this.locks.values()].every((lock) => lock.holder === null) &&
      [...this.leases.values()].every((lease) => over.includes(lease.state))
    );
  }

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    let status = 200;
    let body: unknown;
    try {
      body = this.#answer(req.method ?? '', req.url ?? '', text === '' ? {} : JSON.parse(text));
    } catch (error) {
      const coded = error instanceof CodedError ? error : new CodedError('internal', String(error));
      ({ status } = problemOf(coded));
      body = problemOf(coded);
    }
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  #answer(method: string, url: string, body: unknown): unknown {
    const [, api, what = '', name = '', action] = url.split('/').map(decodeURIComponent);
    if (url === '/health') return this.#health();
    if (api !== 'api') throw new CodedError('not_found', url);
    if (what === 'locks' && method === 'GET') return { locks: [...this.locks].map(lockOf) };
    if (what === 'locks' && action !== undefined) return this.#lock(name, action, body);
    if (what !== 'leases') throw new CodedError('not_found', url);
    if (method === 'POST' && name === '') return this.#ask(body);
    return this.#lease(method, name, action);
  }

  #health(): unknown {
    const started_at = new Date(0).toISOString();
    const who = { service: 'jarvis-core', instance_id: 'core-1', home_id: 'h', pid: 1, started_at };
    const state = {
      status: 'healthy',
      uptime_seconds: 1,
      active_training_jobs: 0,
      experience_buffer_size: 0,
    };
    return { ...who, contract_version: 1, ...state, models_deployed: {} };
  }

  #lock(name: string, action: string, body: unknown): unknown {
    this.calls.push(`${action} ${name}`);
    const held = this.locks.get(name) ?? { token: 0, holder: null };
    if (action === 'acquire') {
      const { holder } = lockAcquireSchema.parse(body);
      if (held.holder !== null && held.holder !== holder)
        throw new CodedError('lock_held', `${held.holder} has it`, { active_job_id: held.holder });
      const token = held.holder === holder ? held.token : this.take(name, holder);
      return { name, holder, token, ttl_seconds: TTL_SECONDS };
    }
    const { holder, token } = lockHeldRequestSchema.parse(body);
    const isHeld = held.holder === holder && held.token === token;
    if (action === 'release') {
      if (isHeld) this.locks.set(name, { token, holder: null });
      return { name, released: isHeld };
    }
    // Tokens that tests made up are as good as given ones, until somebody else is given a higher one.
    if (held.token > token) throw new CodedError('lock_lost', `token ${held.token} was given`);
    return { name, holder, token, ttl_seconds: TTL_SECONDS };
  }

  #ask(body: unknown): Lease {
    const { holder, need, purpose } = leaseRequestSchema.parse(body);
    this.calls.push('ask lease');
    const lease: Lease = {
      lease_id: `lease-${this.leases.size + 1}`,
      holder,
      purpose,
      state: this.grants,
      need: { ...(need ?? this.need), host_id: 'here' },
      reason: '',
      granted_at: null,
      expires_at: null,
      ttl_seconds: TTL_SECONDS,
      reclaim_requested: null,
    };
    this.leases.set(lease.lease_id, lease);
    return lease;
  }

  #lease(method: string, id: string, action: string | undefined): Lease {
    const lease = this.leases.get(id);
    if (lease === undefined) throw new CodedError('not_found', id);
    if (method === 'GET') return lease;
    this.calls.push(`${action ?? 'release'} ${id}`);
    if (method !== 'DELETE' || lease.state === 'refused') return lease;
    const released: Lease = { ...lease, state: 'released' };
    this.leases.set(id, released);
    return released;
  }
}

function lockOf([name, { token, holder }]: [string, Held]): unknown {
  return { name, state: holder === null ? 'free' : 'held', holder, token, expires_at: null };
}
