// One sample of the text that Prometheus reads.

/** The value of a series, written as it stands in the text (`name{label="value"}`); null when it is not told. */
export function sampleOf(text: string, series: string): number | null {
  const line = text.split('\n').find((l) => l.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}
