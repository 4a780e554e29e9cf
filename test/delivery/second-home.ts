// A version of one home, exported, imported in another, and served there: the same digest, the same answers.
import { healthSchema, type Imported, importedSchema } from '@jarvis/contracts';
import { makeAsker } from './asking.ts';
import { type Found, some } from './found.ts';
import { type Home, makeStable, servedVersion } from './home.ts';
import { type Exported, importVersion, TEXTS } from './versions.ts';

export interface Moved {
  readonly from: Home;
  readonly to: Home;
  readonly exported: readonly Exported[];
}

/** @returns besides what was found: what each version is called in the second home */
export async function moveVersions({ from, to, exported }: Moved): Promise<Found & { versions: string[] }> {
  const problems: string[] = [];
  const versions: string[] = [];
  let compared = 0;
  for (const [n, one] of exported.entries()) {
    const { version, digest, created } = await (n === 0
      ? byCommand(to, one.folder)
      : importVersion(to, one.folder));
    versions.push(version);
    if (digest !== one.digest) problems.push(`${one.version} came as ${digest}`);
    if (!created) problems.push(`${one.version} was there already`);
    if (n > 0) continue;
    const again = await importVersion(to, one.folder);
    if (again.created || again.version !== version) problems.push(`${one.version} was made twice`);
    if ((await servedVersion(to)) !== undefined) problems.push('an import alone is served');
    await makeStable(from, one.version);
    await makeStable(to, version);
    const here = await answersOf(from);
    problems.push(...some('answers differ', difference(here, await answersOf(to))));
    compared += here.length;
  }
  const { home_id: idFrom } = healthSchema.parse(await from.call('reactor-core', 'GET /health'));
  const { home_id: idTo } = healthSchema.parse(await to.call('reactor-core', 'GET /health'));
  if (idFrom === idTo) problems.push('both are one home');
  return {
    title: 'From one home to another',
    rows: [
      ['versions exported, and imported in the second home', exported.length],
      ['of the first one: answers compared between the two homes', compared],
    ],
    problems,
    versions,
  };
}

async function byCommand(home: Home, folder: string): Promise<Imported> {
  return importedSchema.parse(JSON.parse(await home.cli('models', 'import', 'nlu', folder, '--json')));
}

async function answersOf(home: Home): Promise<string[]> {
  const asker = makeAsker(home.system.urls['j-prime'], 1);
  const answers: string[] = [];
  for (const text of TEXTS) {
    const { output, confidence } = (await asker.ask(text)).body;
    answers.push(`${JSON.stringify(output)} ${confidence}`);
  }
  asker.close();
  return answers;
}

function difference(here: readonly string[], there: readonly string[]): string[] {
  return here.flatMap((answer, i) => (answer === there[i] ? [] : [`${answer}, ${there[i]}`]));
}
