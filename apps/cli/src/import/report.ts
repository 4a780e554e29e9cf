// What an import says while it goes and at its end: sentences, or JSON lines with --json.
import type { experiencesResponseSchema } from '@jarvis/contracts';
import type { z } from 'zod';
import type { World } from '../world.ts';
import type { Batch } from './batches.ts';
import { percent, plural, type Style, styleOf } from '../style.ts';
import { type Mapped, NOT_MAPPED, type NotMapped, type NotMappedCode, type Place } from './found.ts';
import type { Format } from './formats.ts';
import type { InputFile } from './text.ts';

/** Lines that a person reads; --json has them all. */
export const LISTED_MAX = 100;
/** Of a dry run, from each file. */
export const EXAMPLES_MAX = 5;
const SHOWN_CHARS_MAX = 200;
/** Where there is no terminal, a line of progress after so many experiences. */
const PROGRESS_EVERY = 50_000;

export type ExperiencesResponse = z.infer<typeof experiencesResponseSchema>;

export interface Counts {
  mapped: number;
  /** New to JARVIS Core. */
  stored: number;
  /** In batches that it had. */
  repeated: number;
  notMapped: number;
}

export interface ReportOptions {
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly bytes: number;
}

export class Report {
  readonly counts: Counts = { mapped: 0, stored: 0, repeated: 0, notMapped: 0 };
  readonly #world: World;
  readonly #options: ReportOptions;
  readonly #style: Style;
  readonly #byCode = new Map<NotMappedCode, number>();
  #live = false;
  #toldAt = 0;
  #reached: string | null = null;

  constructor(world: World, options: ReportOptions) {
    this.#world = world;
    this.#options = options;
    this.#style = styleOf(world.stdout);
  }

  file({ name }: InputFile, format: Format): void {
    if (this.#options.json) this.#line({ event: 'file', file: name, format });
    else this.#say(`${this.#style.paint('bold', name)}: ${format}`);
  }

  example({ name }: InputFile, { line, at, experience }: Mapped): void {
    if (this.#options.json) this.#line({ event: 'example', file: name, line, at, experience });
    else this.#say(`  ${shown(JSON.stringify(experience))}`);
  }

  notMapped({ name }: InputFile, found: NotMapped): void {
    const { code, detail, line, at } = found;
    this.counts.notMapped += 1;
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    if (this.#options.json) {
      this.#line({ event: 'not_mapped', file: name, line, at, code, reason: NOT_MAPPED[code], detail });
      return;
    }
    if (this.counts.notMapped > LISTED_MAX) return;
    const why = detail === null ? NOT_MAPPED[code] : `${NOT_MAPPED[code]} (${shown(detail)})`;
    this.#complain(`${placed(name, found)}: not imported: ${why}`);
    if (this.counts.notMapped === LISTED_MAX)
      this.#complain('More are only counted here; --json lists them all.');
  }

  /** A live line on a terminal, now and then a line elsewhere. */
  progress(bytesRead: number): void {
    if (this.#options.json) return;
    const { mapped } = this.counts;
    const { stderr } = this.#world;
    const share = this.#options.bytes === 0 ? 1 : Math.min(1, bytesRead / this.#options.bytes);
    const line = `${plural(mapped, 'experience')}, ${percent(share)} of the files`;
    if (stderr.isTTY) {
      stderr.write(`\r\u001B[2K${line}`);
      this.#live = true;
    } else if (mapped - this.#toldAt >= PROGRESS_EVERY) {
      stderr.write(`${line}\n`);
      this.#toldAt = mapped;
    }
  }

  /** A batch of a dry run. */
  mapped({ experiences }: Batch): void {
    this.counts.mapped += experiences.length;
  }

  /** What JARVIS Core said to a batch. */
  answered({ name }: InputFile, batch: Batch, { stored, repeated }: ExperiencesResponse): void {
    this.mapped(batch);
    this.counts[repeated ? 'repeated' : 'stored'] += stored;
    this.#reached = placed(name, batch.end);
  }

  /** How far it came. */
  stopped(): void {
    const { stored, repeated } = this.counts;
    if (this.#options.dryRun) return;
    this.#complain(
      this.#reached === null
        ? 'Nothing was stored.'
        : `Stored so far: ${plural(stored + repeated, 'experience')}, up to ${this.#reached}. The same command again goes on; nothing is stored twice.`,
    );
  }

  end(): void {
    const { json, dryRun } = this.#options;
    this.#clear();
    const reasons = Object.fromEntries(this.#byCode);
    if (json) {
      const { mapped, stored, repeated, notMapped } = this.counts;
      this.#line({
        event: 'end',
        dry_run: dryRun,
        mapped,
        stored,
        repeated,
        not_mapped: notMapped,
        by_code: reasons,
      });
      return;
    }
    this.#say(this.#summary());
    for (const [code, count] of this.#byCode) this.#say(`  ${plural(count, 'time')}: ${NOT_MAPPED[code]}`);
  }

  #summary(): string {
    const { mapped, stored, repeated, notMapped } = this.counts;
    const rest = notMapped === 0 ? 'nothing left out' : `${notMapped.toLocaleString('en-US')} not imported`;
    return this.#options.dryRun
      ? `${plural(mapped, 'experience')} would be sent, ${rest}. Nothing was sent.`
      : `${plural(stored, 'experience')} stored, ${repeated.toLocaleString('en-US')} there already, ${rest}.`;
  }

  #line(value: object): void {
    this.#world.stdout.write(`${JSON.stringify(value)}\n`);
  }

  #say(text: string): void {
    this.#clear();
    this.#world.stdout.write(`${text}\n`);
  }

  #complain(text: string): void {
    this.#clear();
    this.#world.stderr.write(`${text}\n`);
  }

  #clear(): void {
    if (this.#live) this.#world.stderr.write('\r\u001B[2K');
    this.#live = false;
  }
}

function placed(name: string, { line, at }: Place): string {
  return `${name}${line === null ? '' : `:${line}`}${at === null ? '' : ` ${at}`}`;
}

/** Files may hold what a terminal would obey. */
function shown(text: string): string {
  const cut = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return cut.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
}
