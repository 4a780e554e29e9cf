// How `up` shows its phases: on a terminal what is under way stands in the last line, until its end takes its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { SupervisorEvent } from '@jarvis/supervisor';
import { page } from './page.ts';
import { UpDisplay } from '../src/up-command.ts';

const CLEAR = '\r\u001B[2K';

/** What is to be seen in the end: a line that was cleared is gone. */
function seen(isTTY: boolean, act: (display: UpDisplay) => void): string {
  const { stream, text } = page(isTTY);
  act(new UpDisplay(stream));
  const lines = text()
    .split('\n')
    .map((line) => line.split(CLEAR).at(-1) ?? '');
  return stripVTControlCharacters(lines.join('\n'));
}

const started: SupervisorEvent = { type: 'phase_started', phase: 1, title: 'JARVIS Core' };
const healthy: SupervisorEvent = {
  type: 'service_state',
  service: 'j-prime',
  from: 'starting',
  to: 'healthy',
  detail: '',
  pid: 7,
};

test('a phase is shown while it lasts, below what happens meanwhile', () => {
  const during = seen(true, (display) => {
    display.show(started);
    display.show(healthy);
  });
  assert.equal(during, '  J-Prime is healthy pid 7\n◌ 1/3 JARVIS Core …');
});

test('its end takes its place', () => {
  const after = seen(true, (display) => {
    display.show(started);
    display.show({ type: 'phase_completed', phase: 1, title: 'JARVIS Core', elapsed_ms: 1234 });
  });
  assert.equal(after, '✔ 1/3 JARVIS Core 1.2 s\n');
});

for (const event of [{ type: 'stopping' }, { type: 'failed', message: 'why' }] as const)
  test(`no phase is left standing after ${event.type}`, () => {
    const after = seen(true, (display) => {
      display.show(started);
      display.show(event);
      display.show({ type: 'stopped', left: [] });
    });
    assert.doesNotMatch(after, /◌/);
    assert.match(after, /\nStopped\.\n$/);
  });

test('without a terminal only what has happened is written', () => {
  const piped = seen(false, (display) => {
    display.show(started);
    display.show(healthy);
  });
  assert.equal(piped, '  J-Prime is healthy pid 7\n');
});

test('what could not be stopped is named', () => {
  const left = seen(false, (display) => display.show({ type: 'stopped', left: ['J-Prime: process 7'] }));
  assert.equal(left, 'Could not be stopped:\n  J-Prime: process 7\n');
});
