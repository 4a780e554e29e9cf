// The texts of docs/ that are made from the contracts: configuration, lifecycles, errors, metrics. A test holds the files to them.
import {
  ENVIRONMENT,
  ERROR_CODES,
  type Group,
  GROUPS,
  isTerminal,
  LIFECYCLES,
  type Metric,
  METRICS,
  type ServiceName,
  SERVICES,
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
    ['docs/metrics.md', metrics()],
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

const SERVICE_TITLES: Readonly<Record<ServiceName, string>> = {
  'jarvis-core': 'JARVIS Core',
  'j-prime': 'J-Prime',
  'reactor-core': 'Reactor Core',
};

function metrics(): string {
  const all: [string, Metric][] = Object.entries(METRICS);
  const section = (title: string, of: (services: readonly ServiceName[]) => boolean): string => {
    const rows = all
      .filter(([, { services }]) => of(services))
      .map(([name, m]) => `| \`${name}\` | ${m.type} | ${labelsOf(m)} | ${cell(helpOf(m))} |`);
    return `## ${title}\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  };
  const isShared = (services: readonly ServiceName[]): boolean => services.length === SERVICES.length;
  return `${MADE}

# Metrics

\`GET /metrics\` of each service, as the text that Prometheus reads; with \`JARVIS_API_TOKEN\` set it wants the token, like every
other call. Gauges are read when somebody scrapes, by queries that are bounded; counters start anew with the process, but for
those that are kept in the store. No label holds an id.

${section('All three', isShared)}
${SERVICES.map((name) =>
  section(SERVICE_TITLES[name], (services) => services.includes(name) && !isShared(services)),
).join('\n')}`;
}

function labelsOf({ labels }: Metric): string {
  return labels.map((label) => `\`${label}\``).join(', ');
}

function helpOf({ help, services, buckets, unit = 's' }: Metric): string {
  const also = services.length === 2 ? ` (${services.map((name) => SERVICE_TITLES[name]).join(', ')})` : '';
  return buckets.length === 0 ? `${help}${also}` : `${help}. Buckets: ${buckets.join(', ')} ${unit}`;
}
