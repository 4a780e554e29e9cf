// Which answers may come from which version, judged from outside and soundly: nothing right is called wrong, on whatever
// machine. The versions that everybody was routed to follow each other as turns. Of each turn two moments are known:
//
//   notBefore  it was not published earlier: when Reactor Core says the promotion was, or when the call was made that
//              brought it about. An answer of its version that was there before then came too early.
//   appliedBy  by then J-Prime had applied it, for it had answered so: in its health, or in the first answer of that
//              version to a request that began once the turn before was applied. (Among answers of that version to
//              requests that began earlier may be late ones of an earlier turn of the same version.)
//
// J-Prime may serve turn k from its notBefore until the appliedBy of turn k + 1. A request may be answered by the version
// of turn k when these two intervals meet: [its start, its end] and [notBefore of k, appliedBy of k + 1]. Between the moment
// of a swap inside J-Prime and the first answer that shows it an answer of the old version is let pass, which nobody can
// tell from one that ran already; the denser the requests, the shorter that is. All times are of one machine's clock, cut
// to milliseconds, which moves both ends alike.
export interface Answered {
  readonly startMs: number;
  readonly endMs: number;
  readonly tookMs: number;
  /** 0 when there was none. */
  readonly status: number;
  readonly version: string;
  readonly confidence: number;
  readonly trouble: string;
}

export interface Turn {
  readonly version: string;
  readonly notBeforeMs: number;
  /** When J-Prime's health was seen to tell of it. */
  readonly seenMs: number;
}

/** The answers, in sentences, that no version routed at the time gave. */
export function strangers(answers: readonly Answered[], turns: readonly Turn[]): string[] {
  const applied = appliedBy(answers, turns);
  return answers.flatMap(({ version, startMs, endMs, status }) => {
    if (status !== 200) return [];
    const fits = turns.some(
      (turn, k) =>
        turn.version === version && endMs >= turn.notBeforeMs && startMs <= (applied[k + 1] ?? Infinity),
    );
    return fits ? [] : [`${version} answered a request of ${startMs} to ${endMs}`];
  });
}

/** Of each turn the earliest moment by which J-Prime had applied it, as far as anybody saw. */
export function appliedBy(answers: readonly Answered[], turns: readonly Turn[]): number[] {
  const sorted = answers.filter((a) => a.status === 200).toSorted((a, b) => a.startMs - b.startMs);
  const applied: number[] = [];
  let from = 0;
  for (const turn of turns) {
    const before = applied.at(-1) ?? 0;
    while (from < sorted.length && sorted[from]!.startMs <= before) from += 1;
    let by = turn.seenMs;
    for (let i = from; i < sorted.length && sorted[i]!.startMs <= by; i += 1) {
      const { version, endMs } = sorted[i]!;
      if (version === turn.version && endMs >= turn.notBeforeMs) by = Math.min(by, endMs);
    }
    applied.push(by);
  }
  return applied;
}

/** @param part 0 to 1 */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}
