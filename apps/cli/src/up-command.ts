// `jarvis up`: the supervisor in the foreground, shown phase by phase, until Ctrl-C.
import { SERVICES } from '@jarvis/contracts';
import { type Config, readConfigOrExit } from '@jarvis/runtime';
import {
  runForeground,
  SERVICE_TITLES,
  startSupervisor,
  type Summary,
  type Supervisor,
  type SupervisorEvent,
} from '@jarvis/supervisor';
import { join } from 'node:path';
import { EXIT_FAILURE } from './exit.ts';
import { seconds, type Style, styleOf } from './style.ts';
import { supervisorOptions } from './supervision.ts';
import type { World } from './world.ts';

export async function upCommand(world: World): Promise<void> {
  const config = readConfigOrExit(world);
  const supervisor = await startSupervisor(
    supervisorOptions(config, world, (text) => world.stderr.write(text)),
  );
  const display = new UpDisplay(world.stdout);
  supervisor.events.subscribe((event) => display.show(event));
  const ended = runForeground(supervisor, { clock: world.clock, onKill: () => display.killing() });
  await announce(supervisor, config, world);
  if ((await ended) !== 0) process.exitCode = EXIT_FAILURE;
}

async function announce(supervisor: Supervisor, config: Config, world: World): Promise<void> {
  let summary: Summary;
  try {
    summary = await supervisor.ready;
  } catch {
    return; // the display has said why, and the exit code will
  }
  const { paint } = styleOf(world.stdout);
  const whole = summary.operational === summary.total;
  const lines = [
    '',
    paint(['bold', whole ? 'green' : 'yellow'], summary.text),
    ...summary.problems.map((problem) => paint('yellow', `  ${problem}`)),
    ...summary.services.map((s) => `  ${s.title.padEnd(TITLE_WIDTH)}  ${s.url}/docs`),
    `  ${'Logs'.padEnd(TITLE_WIDTH)}  ${join(config.home, 'logs')}`,
    paint('dim', '  In another terminal: jarvis status, jarvis train nlu --watch, jarvis logs -f'),
    paint('dim', '  Ctrl-C stops everything; a second one kills it.'),
    '',
  ];
  world.stdout.write(`${lines.join('\n')}\n`);
}

const TITLE_WIDTH = Math.max(...SERVICES.map((name) => SERVICE_TITLES[name].length));

/** What takes the place of the phase under way. */
const ENDS_PHASE: readonly SupervisorEvent['type'][] = ['phase_completed', 'failed', 'stopping'];

/** Lines for each event; on a terminal the phase under way is shown too, until its end takes its place. */
export class UpDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  #live = '';

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#style = styleOf(stream);
  }

  show(event: SupervisorEvent): void {
    if (event.type === 'phase_started')
      this.#showLive(`${this.#style.paint('cyan', '◌')} ${event.phase}/3 ${event.title} …`);
    else {
      const line = this.#line(event);
      if (line !== null) this.#write(line, ENDS_PHASE.includes(event.type));
    }
  }

  /** Nobody waits for the services any longer. */
  killing(): void {
    this.#write('Killing …', true);
  }

  #line(event: Exclude<SupervisorEvent, { type: 'phase_started' }>): string | null {
    const { paint } = this.#style;
    switch (event.type) {
      case 'phase_completed':
        return `${paint('green', '✔')} ${event.phase}/3 ${event.title} ${paint('dim', seconds(event.elapsed_ms))}`;
      case 'service_state':
        return this.#stateLine(event);
      case 'service_unreachable':
        return paint('yellow', `  ${SERVICE_TITLES[event.service]} does not answer: ${event.detail}`);
      case 'service_gave_up':
        return [
          paint(
            'red',
            `✖ ${SERVICE_TITLES[event.service]} was given up after ${event.restarts} restarts; its last lines:`,
          ),
          ...event.log_tail.map((line) => `    ${line}`),
          `  The whole log: ${event.log_path}`,
        ].join('\n');
      case 'verified':
        return null; // the summary says it
      case 'failed':
        return paint('red', `✖ ${event.message}`);
      case 'stopping':
        return 'Stopping …';
      case 'service_stopped':
        return `  ${SERVICE_TITLES[event.service]} ${event.how === 'left_running' ? 'is left running' : 'stopped'} ${paint('dim', seconds(event.elapsed_ms))}`;
      case 'stopped':
        return event.left.length === 0
          ? 'Stopped.'
          : paint('red', `Could not be stopped:\n  ${event.left.join('\n  ')}`);
    }
  }

  #stateLine(event: Extract<SupervisorEvent, { type: 'service_state' }>): string | null {
    const { paint } = this.#style;
    const who = `  ${SERVICE_TITLES[event.service]}`;
    const pid = event.pid === null ? '' : paint('dim', ` pid ${event.pid}`);
    switch (event.to) {
      case 'absent':
      case 'starting':
        return null;
      case 'healthy':
        return `${who} ${event.from === 'starting' ? 'is healthy' : 'is healthy again'}${pid}`;
      case 'adopted':
        return `${who} was running already and is adopted${pid}`;
      case 'unhealthy':
      case 'restarting':
      case 'gave_up':
        return paint('yellow', `${who}: ${event.to}${event.detail === '' ? '' : `, ${event.detail}`}`);
    }
  }

  #showLive(text: string): void {
    if (!this.#stream.isTTY) return;
    this.#live = text;
    this.#stream.write(text);
  }

  /** Writes a line above what is live; `ends`: in its place. */
  #write(line: string, ends: boolean): void {
    const live = this.#live;
    if (live !== '') this.#stream.write('\r\u001B[2K');
    this.#stream.write(`${line}\n`);
    this.#live = ends ? '' : live;
    if (this.#live !== '') this.#stream.write(this.#live);
  }
}
