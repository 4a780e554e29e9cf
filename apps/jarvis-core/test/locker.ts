// Programs that take a lock, as a test drives them: step by step, stopped (SIGSTOP) and let go on in between.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { exited } from '@jarvis/testkit';
import type { GrantSeen } from './mutex-history.ts';

/** What the lock protects: refuses no token, old ones at writes, or old ones at reads too. */
export type ShelfKind = 'unfenced' | 'fenced at writes only' | 'fenced';

export interface ShelfPlace {
  readonly path: string;
  readonly kind: ShelfKind;
}

export type Order =
  | { readonly kind: 'take'; readonly ttlMs: number }
  | { readonly kind: 'read'; readonly shelf: ShelfPlace }
  | { readonly kind: 'write'; readonly shelf: ShelfPlace; readonly item: string }
  | { readonly kind: 'release' }
  | { readonly kind: 'go round'; readonly times: number; readonly ttlMs: number };

export type Answer =
  | { readonly kind: 'took'; readonly token: number; readonly sentMs: number }
  | { readonly kind: 'did'; readonly accepted: boolean }
  | { readonly kind: 'failed'; readonly why: string }
  /** While it goes round. */
  | { readonly kind: 'holds'; readonly token: number }
  | { readonly kind: 'grant'; readonly grant: GrantSeen };

const PROGRAM = fileURLToPath(new URL('./children/locker.ts', import.meta.url));

export class Locker {
  /** `holds` and `grant` while it goes round. */
  readonly seen = new EventEmitter();
  readonly #child: ChildProcess;
  readonly #answers = new EventEmitter();

  constructor(url: string, holder: string) {
    this.#child = spawn(process.execPath, [PROGRAM, url, holder], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => {
      if (answer.kind === 'holds') this.seen.emit('holds', answer.token);
      else if (answer.kind === 'grant') this.seen.emit('grant', answer.grant);
      else this.#answers.emit('answer', answer);
    });
  }

  async take(ttlMs: number): Promise<number> {
    const answer = await this.#tell({ kind: 'take', ttlMs });
    assert.equal(answer.kind, 'took', JSON.stringify(answer));
    return answer.token;
  }

  /** Whether it was accepted. */
  async does(order: Exclude<Order, { kind: 'take' }>): Promise<boolean> {
    const answer = await this.#tell(order);
    assert.equal(answer.kind, 'did', JSON.stringify(answer));
    return answer.accepted;
  }

  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await exited(this.#child);
  }

  async #tell(order: Order): Promise<Answer> {
    const answered = once(this.#answers, 'answer') as Promise<[Answer]>;
    this.#child.send(order);
    return (await answered)[0];
  }
}
