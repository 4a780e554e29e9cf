// `npm run rooms`: holds every import against the import table. Reading no module at all is an error, not a success.
// With a folder as argument, checks the house that lies there.
import { existsSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { FREE_FOLDERS, IMPORT_TABLE, type Room, ROOT_EXPORT } from './import-table.ts';

/** Fewer modules than this, and the parser did not read them: the house never was so small. */
const MODULES_MIN = 3;
const TESTS = '/(test|tests)/|\\.test\\.ts$';

function rulesOf(room: Room): IForbiddenRuleType[] {
  const from = { path: `^${room.folder}/`, pathNot: TESTS };
  const allowed = [room.folder, ...room.rooms].map((r) => `^${r}/`);
  const rules: IForbiddenRuleType[] = [
    {
      name: `${room.folder} imports only ${room.rooms.join(', ') || 'nothing of the house'}`,
      severity: 'error',
      from,
      to: { path: '^(packages|apps|trainers|sim|bench|test|tools)/', pathNot: allowed },
    },
  ];
  if (room.npm !== undefined)
    rules.push({
      name: `${room.folder} uses only ${room.npm.join(', ') || 'no library'} from npm`,
      severity: 'error',
      from,
      to: { path: '^node_modules/', pathNot: room.npm.map((name) => `^node_modules/${name}/`) },
    });
  if (room.node === false)
    rules.push({
      name: `${room.folder} uses nothing of Node`,
      severity: 'error',
      from,
      to: { dependencyTypes: ['core'] },
    });
  return rules;
}

function allRules(): IForbiddenRuleType[] {
  const crossing = IMPORT_TABLE.map((room): IForbiddenRuleType => ({
    name: `${room.folder} is entered by its root export only`,
    severity: 'error',
    from: { pathNot: `^${room.folder}/` },
    to: { path: `^${room.folder}/`, pathNot: `^${ROOT_EXPORT}$` },
  }));
  return [
    ...IMPORT_TABLE.flatMap(rulesOf),
    ...crossing,
    { name: 'no cycle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'every import is found', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ];
}

async function check(root: string): Promise<number> {
  process.chdir(root);
  const folders = [...IMPORT_TABLE.map((room) => room.folder), ...FREE_FOLDERS].filter((f) => existsSync(f));
  const { output } = await cruise(
    folders,
    {
      parser: 'swc',
      ruleSet: { forbidden: allRules() },
      validate: true,
      doNotFollow: { path: 'node_modules' },
      // Tests look into their own room; the table is about what runs. (The parser does not know `using` either.)
      exclude: { path: '/test/' },
      // Types too: a type that crosses a border is a dependency.
      tsPreCompilationDeps: true,
    },
    {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  );
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with text');
  return report(output);
}

function report({ summary, modules }: ICruiseResult): number {
  const own = modules.filter((m) => m.source.endsWith('.ts') && !m.source.includes('node_modules/'));
  const imports = own.flatMap((m) => m.dependencies).length;
  for (const v of summary.violations) process.stdout.write(`${v.from} -> ${v.to}: ${v.rule.name}\n`);
  process.stdout.write(
    `${own.length} modules, ${imports} imports, ${summary.violations.length} against the table\n`,
  );
  if (own.length < MODULES_MIN || imports === 0) {
    process.stdout.write(
      'Next to nothing was read: the parser is missing, or this is not the root of the house.\n',
    );
    return 1;
  }
  return summary.violations.length > 0 ? 1 : 0;
}

process.exitCode = await check(process.argv[2] ?? process.cwd());
