// The fixture LLM server as a command, for who starts one.
import { fileURLToPath } from 'node:url';

export interface FixtureLlmOptions {
  /** What it allocates and touches while it loads; it stays anonymous memory until it ends. */
  readonly memoryMb?: number;
  /** How long `/health` answers 503; the memory is taken in this time. */
  readonly loadMs?: number;
  /** Between two words of an answer. */
  readonly wordMs?: number;
  readonly model?: string;
  /**
   * `dies`: ends while it loads; `hangs`: loads for ever; `silent`: listens to nobody; `deaf`: does not hear SIGTERM;
   * `no_health`: has only `/v1/models`.
   */
  readonly manner?: FixtureLlmManner;
}

export const FIXTURE_LLM_MANNERS = ['well', 'dies', 'hangs', 'silent', 'deaf', 'no_health'] as const;
export type FixtureLlmManner = (typeof FIXTURE_LLM_MANNERS)[number];

export const FIXTURE_LLM_PROGRAM = fileURLToPath(new URL('./fixture-server.ts', import.meta.url));

/** The words of its command; `port` may be a placeholder. */
export function fixtureLlmCommand(port: number | string, options: FixtureLlmOptions = {}): string[] {
  const given = {
    port,
    'memory-mb': options.memoryMb,
    'load-ms': options.loadMs,
    'word-ms': options.wordMs,
    model: options.model,
    manner: options.manner,
  };
  const words = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  return [process.execPath, FIXTURE_LLM_PROGRAM, ...words];
}
