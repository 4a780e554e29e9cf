// What each service says of itself: who it is, whom it reaches, what waits in its outbox, which invariants hold.
import {
  type Health,
  type InvariantReport,
  invariantReportSchema,
  isCodedError,
  type Outbox,
  type Peer,
} from '@jarvis/contracts';
import type { Config } from '@jarvis/runtime';
import type { ServiceAnswer } from '@jarvis/supervisor';
import { withService } from '../services.ts';
import { broken, type Check, fine, note } from './check.ts';

/** Evidence is delivered every few seconds; what is older waits for somebody. */
const OUTBOX_AGE_SECONDS_MAX = 300;
const START = 'start it: `jarvis up`';

export async function checkServices(config: Config, services: readonly ServiceAnswer[]): Promise<Check[]> {
  const someRun = services.some(({ answer }) => answer.kind !== 'nothing');
  const checks = await Promise.all(
    services.map(async (service) => {
      const { title, url, answer } = service;
      if (answer.kind === 'nothing') {
        const message = `does not run: nothing listens at ${url} (${answer.why})`;
        return [someRun ? broken(title, message, START) : note(title, message, START)];
      }
      if (answer.kind !== 'ours') return [broken(title, `at ${url}: ${answer.why}`, whatToDo(answer.kind))];
      return [
        ...healthChecks(service, answer.health),
        ...invariantChecks(title, await reportOf(config, service)),
      ];
    }),
  );
  return checks.flat();
}

function whatToDo(kind: 'stranger' | 'silent'): string {
  return kind === 'stranger'
    ? 'stop what answers there, or give the service another port'
    : '`jarvis logs` has what it said last; `jarvis down` and `jarvis up` start it anew';
}

function healthChecks({ title, url }: ServiceAnswer, health: Health): Check[] {
  const since = `pid ${health.pid}, up ${Math.round(health.uptime_seconds)} s`;
  const is = `answers at ${url}, ${since}, contract ${health.contract_version}`;
  const state =
    health.status === 'healthy'
      ? fine(title, is)
      : note(title, `${is}; it is ${health.status}`, 'see the lines below, and `jarvis logs`');
  const peers = Object.entries(health.peers ?? {}).flatMap(([peer, seen]) => peerChecks(title, peer, seen));
  return [state, ...peers, ...outboxChecks(title, health.outbox)];
}

function peerChecks(title: string, peer: string, seen: Peer): Check[] {
  const since = seen.since === undefined ? '' : ` since ${seen.since}`;
  if (!seen.reachable)
    return [
      broken(
        title,
        `does not reach ${peer}${since}: ${seen.detail}`,
        `see ${peer} and its address (*_API_URL)`,
      ),
    ];
  if (seen.breaker !== undefined && seen.breaker !== 'closed')
    return [
      note(
        title,
        `holds calls to ${peer} back (breaker ${seen.breaker}) after failures: ${seen.last_error ?? seen.detail}`,
        'it tries again by itself within seconds',
      ),
    ];
  return [fine(title, `reaches ${peer}${since}`)];
}

function outboxChecks(title: string, outbox: Outbox | undefined): Check[] {
  if (outbox === undefined) return [];
  const { pending, oldest_age_seconds: age, refused } = outbox;
  const checks: Check[] = [];
  if (refused > 0)
    checks.push(
      note(
        title,
        `${refused} pieces of evidence were refused by the judge and are set aside`,
        '`jarvis logs` has the reason of each; nothing else waits for them',
      ),
    );
  if (age !== null && age > OUTBOX_AGE_SECONDS_MAX)
    checks.push(
      note(
        title,
        `${pending} pieces of evidence wait for the judge, the oldest for ${Math.round(age)} s`,
        'Reactor Core has to answer: then they are delivered by themselves',
      ),
    );
  return checks.length > 0 ? checks : [fine(title, `its outbox is delivered (${pending} under way)`)];
}

type ReportOrWhy = InvariantReport | { readonly why: string; readonly isUnknown: boolean };

async function reportOf(config: Config, { service }: ServiceAnswer): Promise<ReportOrWhy> {
  try {
    return await withService(config, service, (c) =>
      c.get('/api/invariants', invariantReportSchema, { once: true }),
    );
  } catch (error) {
    return { why: (error as Error).message, isUnknown: isCodedError(error, 'not_found') };
  }
}

function invariantChecks(title: string, report: ReportOrWhy): Check[] {
  if ('why' in report)
    return report.isUnknown
      ? [note(title, 'does not tell its invariants: it may be another implementation', null)]
      : [broken(title, `cannot check its invariants: ${report.why}`, '`jarvis logs` has the cause')];
  const notes = (report.notes ?? []).map((text) => `; ${text}`).join('');
  if (report.broken.length === 0)
    return [fine(title, `its invariants hold (${report.checked.join(', ')})${notes}`)];
  return report.broken.map(({ invariant, message }) =>
    broken(
      title,
      `${invariant} is broken: ${message}`,
      'this should never be: keep a copy of the home and its logs, and report it',
    ),
  );
}
