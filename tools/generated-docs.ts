// The texts of docs/ that are made from the contracts: configuration, lifecycles, errors. A test holds the files to them.
import {
  ENVIRONMENT,
  ERROR_CODES,
  type Group,
  GROUPS,
  isTerminal,
  LIFECYCLES,
  type Variable,
} from '@jarvis/contracts';

const MADE = '<!-- Made from the contracts by `npm run docs`; change it there. -->';

const GROUP_TITLES: Readonly<Record<Group, string>> = {
  where: 'Where things lie',
  services: 'Services',
  memory: 'Memory',
  training: 'Training',
  checkpoints: 'Checkpoints',
  rollout: 'Rollout',
  llm: 'LLM server',
  calls: 'Calls between services',
  logs: 'Logs',
};

/** Path below the root of the project -> text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/configuration.md', configuration()],
    ['docs/lifecycles.md', lifecycles()],
    ['docs/errors.md', errors()],
  ]);
}

function configuration(): string {
  const sections = GROUPS.map((group) => {
    const rows = Object.entries(ENVIRONMENT as Record<string, Variable<unknown>>)
      .filter(([, v]) => v.group === group)
      .map(([name, v]) => `| \`${name}\` | ${defaultOf(v)} | ${cell(meaningOf(v))} |`);
    return `## ${GROUP_TITLES[group]}\n\n| name | default | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `${MADE}

# Configuration

By environment variables only. A file \`.env\` in the folder that a program is started in is read too; the environment goes
before it. \`npx jarvis config\` prints each variable with its value and where that came from. All mistakes are listed at once,
with exit code 78, and nothing is started. An empty value counts as unset.

${sections.join('\n')}`;
}

function defaultOf(v: Variable<unknown>): string {
  if (v.default === null) return v.defaultMeans === undefined ? 'none' : cell(v.defaultMeans);
  const text = Array.isArray(v.default) ? v.default.join(',') : `${v.default as string | number | boolean}`;
  return `\`${text}\`${v.unit === undefined ? '' : ` ${v.unit}`}`;
}

function meaningOf(v: Variable<unknown>): string {
  const notes = [
    v.default === null && v.unit !== undefined ? ` (${v.unit})` : '',
    v.secret === true ? ' (secret: never printed)' : '',
    v.notYet === undefined ? '' : `. ${v.notYet}`,
  ];
  return v.meaning + notes.join('');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function lifecycles(): string {
  const sections = Object.entries(
    LIFECYCLES as Record<string, Readonly<Record<string, readonly string[]>>>,
  ).map(([name, table]) => {
    const states = Object.keys(table);
    const edges = states.flatMap((from) => (table[from] ?? []).map((to) => `    ${from} --> ${to}`));
    const ends = states.filter((s) => isTerminal(table, s)).map((s) => `    ${s} --> [*]`);
    const lines = ['stateDiagram-v2', `    [*] --> ${states[0] ?? ''}`, ...edges, ...ends];
    return `## ${name}\n\n\`\`\`mermaid\n${lines.join('\n')}\n\`\`\`\n`;
  });
  return `${MADE}

# Lifecycles

Each is one table in \`packages/contracts/src/lifecycles.ts\`: a state, and the states it may go to. No transition outside of
these happens: the guards of the SQL statements are made from the same tables.

${sections.join('\n')}`;
}

function errors(): string {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, { status, title }]) => `| \`${code}\` | ${status} | ${cell(title)} |`,
  );
  return `${MADE}

# Errors

Every error is sent as \`application/problem+json\` (RFC 9457): \`type\` (\`urn:jarvis:error:<code>\`), \`title\`, \`status\`, \`detail\`,
\`code\`, and \`error\`, which says the same as \`detail\`; where they apply also \`issues\` (which field, and what is wrong with
it), \`active_job_id\` and \`retry_after_seconds\`. Branch on \`code\`: the other texts may change.

| code | HTTP status | meaning |
| --- | --- | --- |
${rows.join('\n')}
`;
}
