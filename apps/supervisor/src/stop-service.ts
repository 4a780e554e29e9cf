// Stops one service: asks it over HTTP, then takes the ladder down its process; or, where it has no process that we may
// signal, asks and waits until nobody answers.
import { stopProcess, type StopResult, type StopRung } from '@jarvis/process';
import type { Context } from './context.ts';
import { authorization, probe } from './probe.ts';
import { probeTimeoutMs, type Running } from './running.ts';
import type { ServiceSpec } from './services.ts';

export interface ServiceStop {
  readonly how: StopRung | 'left_running';
  readonly elapsed_ms: number;
  /** What still lives, in words; empty when nothing does. */
  readonly left: string;
}

type StopContext = Pick<Context, 'http' | 'homeId' | 'timing' | 'system'> & {
  readonly limits: Pick<Context['limits'], 'stopGraceMs'>;
};

/** A handler that has not ended some seconds after the grace for the question and SIGTERM is stuck. */
const termGraceMs = 5000;
const gonePollMs = 50;

export async function stopService(
  spec: ServiceSpec,
  running: Running,
  context: StopContext,
  query: string,
): Promise<ServiceStop> {
  if (running.process === null) return await askAndWait(spec, context, query);
  const result = await stopProcess({
    ...running.process,
    ask: (signal) => askToStop(spec, context, query, signal),
    askGraceMs: context.limits.stopGraceMs,
    termGraceMs,
    sweepGroup: true,
    timing: context.timing,
    system: context.system,
  });
  return describe(spec, result);
}

/** SIGKILL at once, for who will not wait. */
export async function killService(
  spec: ServiceSpec,
  running: Running,
  context: StopContext,
): Promise<ServiceStop> {
  if (running.process === null)
    return {
      how: 'left_running',
      elapsed_ms: 0,
      left: `${spec.title} at ${spec.url} (its process is not known)`,
    };
  const { timing, system } = context;
  const result = await stopProcess({ ...running.process, termGraceMs: 0, sweepGroup: true, timing, system });
  return describe(spec, result);
}

function describe(spec: ServiceSpec, result: StopResult): ServiceStop {
  const left = result.left.length === 0 ? '' : `${spec.title}: process ${result.left.join(', ')}`;
  return { how: result.rung, elapsed_ms: result.elapsed_ms, left };
}

async function askToStop(
  spec: ServiceSpec,
  context: StopContext,
  query: string,
  signal: AbortSignal,
): Promise<boolean> {
  const response = await context.http.fetch(`${spec.url}/api/shutdown${query}`, {
    method: 'POST',
    headers: authorization(context.http),
    signal,
  });
  await response.body?.cancel();
  return response.ok;
}

async function askAndWait(spec: ServiceSpec, context: StopContext, query: string): Promise<ServiceStop> {
  const { timing, limits } = context;
  const from = timing.monotonicMs();
  const over = AbortSignal.timeout(limits.stopGraceMs);
  const heard = await askToStop(spec, context, query, over).catch(() => false);
  const expected = { service: spec.name, homeId: context.homeId };
  for (;;) {
    const answer = await probe(spec.url, expected, context.http, probeTimeoutMs);
    const elapsed_ms = timing.monotonicMs() - from;
    if (answer.kind === 'nothing' || answer.kind === 'stranger')
      return { how: heard ? 'asked' : 'already_gone', elapsed_ms, left: '' };
    if (!heard || elapsed_ms >= limits.stopGraceMs)
      return {
        how: 'unconfirmed',
        elapsed_ms,
        left: `${spec.title} at ${spec.url} (${heard ? 'it still answers' : 'it refused to stop'}; its process is not known)`,
      };
    await timing.sleep(gonePollMs);
  }
}
