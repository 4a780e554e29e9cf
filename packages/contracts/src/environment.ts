// The catalogue of environment variables: every one that any of the programs reads, with its type, default, unit and
// meaning. docs/configuration.md and `jarvis config` are made from it; runtime reads the environment through it.
import { z } from 'zod';
import { NEGOTIATION_POLICIES } from './resources.ts';
import { LLM_SERVER_KINDS, WORKER_THREAD_MODES } from './serving.ts';
import {
  cron,
  dayWindow,
  flag,
  gigabytes,
  numeric,
  percentages,
  port,
  postgresUrl,
  schemaPrefix,
  seconds,
  text,
  url,
  variable,
  type Variable,
  whole,
} from './variable.ts';

export const ENVIRONMENT = {
  JARVIS_HOME: variable('where', 'Folder of all state', text, {
    default: null,
    defaultMeans: '$XDG_DATA_HOME/jarvis or ~/.local/share/jarvis',
  }),
  TRAINING_CHECKPOINT_DIR: variable('where', 'Run folders with their checkpoints', text, {
    default: null,
    defaultMeans: 'JARVIS_HOME/reactor-core/runs',
  }),
  MODEL_REGISTRY_DIR: variable('where', 'Artifacts of the versions', text, {
    default: null,
    defaultMeans: 'JARVIS_HOME/reactor-core/registry',
  }),
  EXPERIENCE_DIR: variable('where', 'Drop folder for experience files', text, {
    default: null,
    defaultMeans: 'JARVIS_HOME/events',
  }),
  TRAINING_DATA_DIR: variable('where', 'The folder below which `dataset_path` may lie', text, {
    default: null,
    defaultMeans: 'JARVIS_HOME/data',
  }),
  NLU_SEED_PATH: variable('where', 'Seed phrases of the nlu baseline: JSON lines of {text, label}', text, {
    default: null,
    defaultMeans: 'the set that comes with the project',
  }),
  DATABASE_URL: variable(
    'where',
    'Postgres instead of SQLite: postgres://user:password@host:5432/database. Each service has a schema of its own there: jarvis_core, j_prime, reactor_core',
    postgresUrl,
    { default: null, secret: true },
  ),
  DATABASE_SCHEMA_PREFIX: variable(
    'where',
    'Goes before the names of the schemas, so that several homes can share a database',
    schemaPrefix,
    { default: null },
  ),

  JARVIS_PORT: variable('services', 'Port of JARVIS Core', port, { default: 5001 }),
  JARVIS_HOST: variable('services', 'Address JARVIS Core listens on', text, { default: '127.0.0.1' }),
  JARVIS_PRIME_PORT: variable('services', 'Port of J-Prime', port, { default: 8002 }),
  JARVIS_PRIME_HOST: variable('services', 'Address J-Prime listens on', text, { default: '127.0.0.1' }),
  REACTOR_CORE_PORT: variable('services', 'Port of Reactor Core', port, { default: 8090 }),
  REACTOR_CORE_HOST: variable('services', 'Address Reactor Core listens on', text, { default: '127.0.0.1' }),
  JARVIS_CORE_API_URL: variable('services', 'Where JARVIS Core is, when it is not ours to launch', url, {
    default: null,
    defaultMeans: 'loopback and JARVIS_PORT',
  }),
  JARVIS_PRIME_API_URL: variable('services', 'Where J-Prime is, when it is not ours to launch', url, {
    default: null,
    defaultMeans: 'loopback and JARVIS_PRIME_PORT',
  }),
  REACTOR_CORE_API_URL: variable('services', 'Where Reactor Core is, when it is not ours to launch', url, {
    default: null,
    defaultMeans: 'loopback and REACTOR_CORE_PORT',
  }),
  JARVIS_PRIME_ENABLED: variable('services', 'Whether J-Prime is part of the system', flag, {
    default: true,
  }),
  REACTOR_CORE_ENABLED: variable('services', 'Whether Reactor Core is part of the system', flag, {
    default: true,
  }),
  JARVIS_PRIME_PATH: variable('services', 'Folder to launch another J-Prime from', text, { default: null }),
  JARVIS_PRIME_COMMAND: variable('services', 'Command that launches another J-Prime', text, {
    default: null,
  }),
  REACTOR_CORE_PATH: variable('services', 'Folder to launch another Reactor Core from', text, {
    default: null,
  }),
  REACTOR_CORE_COMMAND: variable('services', 'Command that launches another Reactor Core', text, {
    default: null,
  }),
  JPRIME_WORKER_THREADS: variable(
    'services',
    'Where J-Prime runs its models: auto (a model whose prediction costs over a millisecond gets a thread of its own), always (each gets one) or never (all run on the event loop)',
    z.enum(WORKER_THREAD_MODES, { error: `has to be one of ${WORKER_THREAD_MODES.join(', ')}` }),
    { default: 'auto' },
  ),
  JARVIS_API_TOKEN: variable(
    'services',
    'Bearer token of all calls; needed to listen elsewhere than on loopback',
    z.string().min(16, 'has to have at least 16 characters'),
    { default: null, secret: true },
  ),
  SERVICE_START_TIMEOUT: variable('services', 'How long a service may take to become healthy', seconds(0.1), {
    default: 30,
    unit: 's',
  }),
  SERVICE_STOP_GRACE: variable(
    'services',
    'How long a service may take to stop before it is killed',
    seconds(0.1),
    { default: 20, unit: 's' },
  ),
  SERVICE_PROBE_INTERVAL: variable('services', 'Between two health probes of a service', seconds(0.05), {
    default: 2,
    unit: 's',
  }),
  SERVICE_RESTART_LIMIT: variable(
    'services',
    'Restarts within SERVICE_RESTART_WINDOW after which the supervisor gives up',
    whole(0, 1000),
    { default: 5 },
  ),
  SERVICE_RESTART_WINDOW: variable('services', 'The window in which restarts are counted', seconds(1), {
    default: 120,
    unit: 's',
  }),
  SERVICE_RESTART_DELAY: variable(
    'services',
    'Before the first restart; doubles with each, with jitter',
    seconds(0.01),
    { default: 0.5, unit: 's' },
  ),

  MAX_TOTAL_MEMORY_GB: variable('memory', 'The budget', gigabytes, {
    default: null,
    defaultMeans: "the smaller of physical memory and the cgroup's limit",
    unit: 'GiB',
  }),
  TRAINING_MEMORY_RESERVE_GB: variable('memory', 'What a job needs when nothing better is known', gigabytes, {
    default: null,
    defaultMeans: '40 for llm, 1 for the small kinds',
    unit: 'GiB',
  }),
  MEMORY_SAFETY_GB: variable('memory', 'Never granted to anybody', numeric(0, 1_000_000), {
    default: 0.25,
    unit: 'GiB',
  }),
  MEMORY_LEASE_TTL: variable('memory', 'A lease that is not renewed for so long expires', seconds(1), {
    default: 60,
    unit: 's',
  }),
  JPRIME_MEMORY_THRESHOLD_GB: variable(
    'memory',
    'Under `wait`, J-Prime counts as out of the way when it holds less than this',
    gigabytes,
    { default: 20, unit: 'GiB' },
  ),
  NEGOTIATION_POLICY: variable(
    'memory',
    'Who gives way: wait (training, until J-Prime is idle), serving_first (as wait, and a request stops a training) or training_first (J-Prime, at once)',
    z.enum(NEGOTIATION_POLICIES, { error: `has to be one of ${NEGOTIATION_POLICIES.join(', ')}` }),
    { default: 'wait' },
  ),
  JPRIME_IDLE_SECONDS: variable('memory', 'A model without requests for so long counts as idle', seconds(), {
    default: 60,
    unit: 's',
  }),
  RESOURCE_CHECK_INTERVAL: variable('memory', 'Between two measurements', seconds(), {
    default: 2,
    unit: 's',
  }),

  MAX_CONCURRENT_TRAINING_JOBS: variable('training', 'Training slots', whole(1, 64), { default: 1 }),
  TRAINING_LOCK_TTL: variable(
    'training',
    "How long a silent holder's slot lock cannot be taken",
    seconds(1),
    { default: 60, unit: 's' },
  ),
  TRAINING_SLOT_TIMEOUT: variable(
    'training',
    'How long a job waits for memory before it goes back to the queue',
    seconds(0.1),
    { default: 300, unit: 's' },
  ),
  TRAINING_MAX_WAIT: variable(
    'training',
    'A job that waits so long for its first start is cancelled; a job may name its own',
    seconds(1),
    { default: 604_800 },
  ),
  TRAINING_PREEMPT_AFTER: variable(
    'training',
    'A training younger than this is not told to give way to a higher class',
    seconds(),
    { default: 30 },
  ),
  TRAINING_BREAKER_FAILURES: variable(
    'training',
    'So many failed jobs in a row, or candidates in a row that were rolled back, hold back the training of their model type',
    whole(1, 100),
    { default: 3 },
  ),
  TRAINING_BREAKER_COOLDOWN: variable(
    'training',
    'How long it is held back before one job is tried; doubled each time that fails, up to a day',
    seconds(0.05),
    { default: 900 },
  ),
  TRAINING_AUTO_TRIGGER_ENABLED: variable(
    'training',
    'Whether new experiences start training by themselves',
    flag,
    { default: true },
  ),
  TRAINING_CHECK_INTERVAL: variable('training', 'Between two looks at the new experiences', seconds(0.05), {
    default: 300,
    unit: 's',
  }),
  TRAINING_MIN_NEW_EXPERIENCES: variable(
    'training',
    'So many new ones start a training',
    whole(1, 1_000_000_000),
    { default: 100 },
  ),
  TRAINING_WINDOW: variable(
    'training',
    'The time of the day in which trainings may run, local time',
    dayWindow,
    {
      default: null,
      defaultMeans: 'at any time',
    },
  ),
  TRAINING_MAX_LOAD: variable(
    'training',
    'No training starts while so many processes want to run, for each processor',
    numeric(0.01, 1000),
    { default: null, defaultMeans: 'none counts' },
  ),
  TRAINING_ON_BATTERY: variable(
    'training',
    'Whether trainings start while the machine runs on its battery',
    flag,
    {
      default: false,
    },
  ),
  TRAINING_CRON_SCHEDULE: variable('training', 'Also then, when there is anything new', cron, {
    default: '0 3 * * *',
  }),
  TRAINING_BASELINE_ENABLED: variable(
    'training',
    'Whether a kind without any version is trained on its seed set',
    flag,
    { default: true },
  ),
  TRAINING_EPOCHS: variable('training', 'Epochs of a job that does not name its own', whole(1, 100_000), {
    default: 16,
  }),
  TRAINING_GATE_PERCENT: variable(
    'training',
    'Newest part of the data, held out for the offline gate; at most a third of what is new',
    numeric(1, 50),
    { default: 10, unit: '%' },
  ),
  TRAINING_RETRY_LIMIT: variable('training', 'Attempts after the first that a job has', whole(0, 100), {
    default: 3,
  }),
  TRAINING_RETRY_DELAY: variable(
    'training',
    'Before the first retry; doubles with each, with jitter',
    seconds(),
    { default: 5, unit: 's' },
  ),
  AUTO_RESUME_FAILED_TRAINING: variable(
    'training',
    'Whether a lost training is resumed from its newest checkpoint',
    flag,
    { default: true },
  ),
  TRAINER_NLU_COMMAND: variable('training', 'Another trainer for nlu', text, {
    default: null,
    defaultMeans: 'built in',
  }),
  TRAINER_VOICE_COMMAND: variable('training', 'A trainer for voice', text, {
    default: null,
    defaultMeans: 'none',
  }),
  TRAINER_VISION_COMMAND: variable('training', 'A trainer for vision', text, {
    default: null,
    defaultMeans: 'none',
  }),
  TRAINER_EMBEDDING_COMMAND: variable('training', 'A trainer for embedding', text, {
    default: null,
    defaultMeans: 'none',
  }),
  TRAINER_LLM_COMMAND: variable('training', 'A trainer for llm', text, {
    default: null,
    defaultMeans: 'none',
  }),
  TRAINER_ORPHAN_GRACE: variable('training', 'How long a trainer goes on without Reactor Core', seconds(1), {
    default: 600,
    unit: 's',
  }),
  TRAINER_MEMORY_LIMIT: variable(
    'training',
    'Trainers may take no more memory than is reserved for them: one that comes near it is stopped at a checkpoint, and where cgroups may be made the kernel kills one that goes beyond. false: they are only measured',
    flag,
    { default: true },
  ),
  TRAINER_SILENCE_LIMIT: variable(
    'training',
    'How long a trainer that lives may give no sign of life before it is taken for hung, stopped and tried again; never less than five of its longest pauses so far',
    seconds(1),
    { default: 1800, unit: 's' },
  ),
  TRAINER_STOP_GRACE: variable(
    'training',
    'How long a trainer may take to checkpoint and exit before it is killed',
    seconds(0.1),
    { default: 30, unit: 's' },
  ),

  CHECKPOINT_INTERVAL_EPOCHS: variable('checkpoints', 'Epochs between two checkpoints', whole(1, 100_000), {
    default: 10,
  }),
  CHECKPOINTS_KEPT: variable('checkpoints', 'Newest checkpoints of a run that are kept', whole(1, 1000), {
    default: 3,
  }),
  MODEL_VERSIONS_KEPT: variable(
    'checkpoints',
    'Newest versions of a kind whose files are kept, beside those that are served, deployed, a rollback target or aliased',
    whole(1, 10_000),
    { default: 20 },
  ),

  AB_TEST_ENABLED: variable(
    'rollout',
    'Whether new versions are rolled out in steps under guards; false: at once',
    flag,
    { default: true },
  ),
  AB_TEST_INITIAL_PERCENTAGE: variable('rollout', 'First weight of a candidate', numeric(0.1, 100), {
    default: 10,
    unit: '%',
  }),
  AB_TEST_GRADUAL_ROLLOUT: variable(
    'rollout',
    'Whether the weight rises in steps; false: from the first weight to 100',
    flag,
    { default: true },
  ),
  ROLLOUT_STEPS: variable('rollout', 'Weights of a rollout', percentages, {
    default: [10, 25, 50, 75, 100],
    unit: '%',
  }),
  ROLLOUT_STEP_SECONDS: variable('rollout', 'How long a step lasts at least', seconds(0), {
    default: 300,
    unit: 's',
  }),
  ROLLOUT_STEP_MIN_REQUESTS: variable(
    'rollout',
    'So many candidate requests a step needs at least',
    whole(1, 1_000_000_000),
    { default: 30 },
  ),
  ROLLOUT_ALPHA: variable(
    'rollout',
    'Chance of rolling a healthy version back, over the whole rollout and all guards',
    numeric(0.0001, 0.5),
    { default: 0.05 },
  ),
  ROLLOUT_SHADOW_SHARE: variable(
    'rollout',
    'Part of the requests of a rollout that the other version is asked too, behind the answer: 0 is none, 1 all',
    numeric(0, 1),
    { default: 0.5 },
  ),
  ROLLOUT_CHECK_INTERVAL: variable('rollout', 'Between two looks of the judge', seconds(0.02), {
    default: 1,
    unit: 's',
  }),
  ROLLBACK_ON_ERROR_RATE: variable(
    'rollout',
    'Limit on the share of failed requests',
    numeric(0.0001, 0.99),
    { default: 0.05 },
  ),
  EVIDENCE_FLUSH_INTERVAL: variable(
    'rollout',
    'Between two deliveries of evidence to the judge',
    seconds(0.02),
    { default: 1, unit: 's' },
  ),

  JPRIME_LLM_COMMAND: variable(
    'llm',
    'Command of an LLM server that is ours to run; {port} in it becomes a free port, which it also gets as PORT',
    text,
    { default: null, defaultMeans: 'none' },
  ),
  JPRIME_LLM_MODEL: variable('llm', 'A GGUF file, served by node-llama-cpp (`npm run setup:llm`)', text, {
    default: null,
    defaultMeans: 'none',
  }),
  JPRIME_LLM_URL: variable(
    'llm',
    'An LLM server that is there already, such as http://127.0.0.1:11434; J-Prime starts and ends no process of it',
    url,
    { default: null, defaultMeans: 'none' },
  ),
  JPRIME_LLM_KIND: variable(
    'llm',
    `What the server at JPRIME_LLM_URL is: ${LLM_SERVER_KINDS.join(', ')}`,
    z.enum(LLM_SERVER_KINDS, { error: `has to be one of ${LLM_SERVER_KINDS.join(', ')}` }),
    { default: null, defaultMeans: 'what its answers say' },
  ),
  JPRIME_LLM_API_KEY: variable('llm', 'Bearer key that the server at JPRIME_LLM_URL asks for', text, {
    default: null,
    defaultMeans: 'none is sent',
    secret: true,
  }),
  JPRIME_LLM_WAIT: variable(
    'llm',
    'How long a request is held up while the LLM gets its memory and is loaded',
    seconds(),
    { default: 60, unit: 's' },
  ),
  JPRIME_LLM_PRELOAD: variable('llm', 'Whether the LLM is loaded when J-Prime starts', flag, {
    default: false,
  }),
  JPRIME_LLM_MEMORY_GB: variable('llm', 'What the LLM needs in memory', gigabytes, {
    default: null,
    defaultMeans: 'what it was last measured to hold; before that, what it says, or the size of its file',
    unit: 'GiB',
  }),

  REACTOR_API_TIMEOUT: variable('calls', 'Time limit of one call between services', seconds(0.1), {
    default: 30,
    unit: 's',
  }),
  REACTOR_API_RETRIES: variable(
    'calls',
    'Tries after the first, of calls that may be repeated',
    whole(0, 100),
    { default: 3 },
  ),
  REACTOR_RETRY_DELAY: variable(
    'calls',
    'Before the first further try; doubles with each, with jitter',
    seconds(),
    { default: 1, unit: 's' },
  ),
  HTTP_BODY_LIMIT_MB: variable('calls', 'Largest body that is read', numeric(0.01, 4096), {
    default: 32,
    unit: 'MiB',
  }),

  JARVIS_LOG_LEVEL: variable(
    'logs',
    'Least severe level that is written',
    z.enum(['trace', 'debug', 'info', 'warn', 'error']),
    { default: 'info' },
  ),
  LOG_FILE_MB_MAX: variable('logs', 'Size at which a log file is rotated', numeric(0.01, 4096), {
    default: 16,
    unit: 'MiB',
  }),
  LOG_FILES_KEPT: variable('logs', 'Rotated files that are kept of each log', whole(1, 100), { default: 3 }),
} as const satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof ENVIRONMENT;
