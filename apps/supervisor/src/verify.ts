// Whether the services reach each other, as they say themselves.
import type { Health, ServiceName } from '@jarvis/contracts';

export interface Verification {
  /** Services that are up and reach those they need. */
  readonly operational: number;
  readonly total: number;
  readonly problems: readonly string[];
}

/** Judges the last health answers (null: not up). A peer that is not part of the system is not asked for; a service that names no peers needs none. */
export function verify(answers: ReadonlyMap<ServiceName, Health | null>): Verification {
  const problems: string[] = [];
  let operational = 0;
  for (const [service, health] of answers) {
    const own = health === null ? [`${service} is not up`] : missingPeers(service, health, answers);
    if (own.length === 0) operational++;
    problems.push(...own);
  }
  return { operational, total: answers.size, problems };
}

function missingPeers(
  service: ServiceName,
  health: Health,
  answers: ReadonlyMap<ServiceName, Health | null>,
): string[] {
  return Object.entries(health.peers ?? {})
    .filter(([peer, seen]) => answers.has(peer as ServiceName) && !seen.reachable)
    .map(([peer, seen]) => `${service} does not reach ${peer}: ${seen.detail}`);
}
