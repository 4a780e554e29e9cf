// The catalogue of metrics: everything that `GET /metrics` of a service tells, with its type, labels and meaning. No label
// holds an id: how many series there can be is bounded by routes, steps, kinds, states and peers. docs/metrics.md is made
// from it, and nothing that is not in it can be recorded.
import type { ServiceName } from './health.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface Metric {
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  readonly services: readonly ServiceName[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly buckets: readonly number[];
  /** Of the buckets; unset: seconds. */
  readonly unit?: string;
}

const ALL = ['jarvis-core', 'j-prime', 'reactor-core'] as const;
const CORE = ['jarvis-core'] as const;
const PRIME = ['j-prime'] as const;
const REACTOR = ['reactor-core'] as const;
const WITH_OUTBOX = ['jarvis-core', 'j-prime'] as const;

/** From a lookup in memory to the time limit of a call. */
const CALL_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30] as const;
/** From a commit on a fast disk to one that waits behind many. */
const TRANSACTION_BUCKETS_SECONDS = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5] as const;
/** From a start at once to a night in the queue. */
const WAIT_BUCKETS_SECONDS = [0.1, 1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200] as const;

/** From a small model alone to the end of anybody's patience. */
const PREDICTION_BUCKETS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10,
] as const;
const BATCH_BUCKETS_INPUTS = [1, 2, 4, 8, 16, 32] as const;

type Declared<T extends MetricType, L extends string> = Metric & {
  readonly type: T;
  readonly labels: readonly L[];
};

function counter<const L extends string = never>(
  services: readonly ServiceName[],
  help: string,
  ...labels: L[]
): Declared<'counter', L> {
  return { type: 'counter', help, labels, services, buckets: [] };
}

function gauge<const L extends string = never>(
  services: readonly ServiceName[],
  help: string,
  ...labels: L[]
): Declared<'gauge', L> {
  return { type: 'gauge', help, labels, services, buckets: [] };
}

function histogram<const L extends string = never>(
  buckets: readonly number[],
  help: string,
  ...labels: L[]
): Declared<'histogram', L> {
  return { type: 'histogram', help, labels, services: ALL, buckets };
}

export const METRICS = {
  jarvis_service_info: gauge(ALL, 'Always 1: who answers', 'service', 'contract_version'),
  process_start_time_seconds: gauge(ALL, 'When the process started, in seconds since the epoch'),
  process_cpu_user_seconds_total: counter(ALL, 'Time on processors in user mode'),
  process_cpu_system_seconds_total: counter(ALL, 'Time on processors in the kernel'),
  process_resident_memory_bytes: gauge(ALL, 'Resident memory of the process'),
  nodejs_heap_size_used_bytes: gauge(ALL, 'Memory of the heap in use'),
  nodejs_heap_size_total_bytes: gauge(ALL, 'Memory of the heap'),
  nodejs_external_memory_bytes: gauge(ALL, 'Memory of objects outside of the heap'),
  nodejs_eventloop_utilization_ratio: gauge(ALL, 'Share of its life that the event loop was busy'),

  jarvis_http_requests_total: counter(
    ALL,
    'Requests answered; status is a class such as 2xx, route is "unmatched" where there is none',
    'method',
    'route',
    'status',
  ),
  jarvis_http_request_duration_seconds: histogram(
    CALL_BUCKETS_SECONDS,
    'How long requests took, event streams apart',
    'method',
    'route',
  ),
  jarvis_event_stream_followers: gauge(ALL, 'Event streams that are followed now', 'route'),

  jarvis_peer_calls_total: counter(
    ALL,
    'Calls to another service, each try of its own; outcome is answered, refused (with an error), unanswered or not_sent (breaker open)',
    'peer',
    'outcome',
  ),
  jarvis_peer_call_duration_seconds: histogram(
    CALL_BUCKETS_SECONDS,
    'How long calls to another service took, unanswered ones too',
    'peer',
  ),
  jarvis_peer_reachable: gauge(ALL, '1 when the last call to this service was answered', 'peer'),
  jarvis_peer_consecutive_failures: gauge(ALL, 'Calls without an answer since the last answer', 'peer'),
  jarvis_peer_breaker_state: gauge(ALL, '1 for the state that the circuit breaker is in', 'peer', 'state'),

  jarvis_store_transactions_total: counter(
    ALL,
    'Write transactions by their step; outcome is committed or failed',
    'step',
    'outcome',
  ),
  jarvis_store_transaction_duration_seconds: histogram(
    TRANSACTION_BUCKETS_SECONDS,
    'How long write transactions took, waiting for their turn included',
  ),
  jarvis_metrics_readers_failed: gauge(ALL, 'Readers of gauges that failed at this scrape; the log has why'),

  jarvis_outbox_pending: gauge(WITH_OUTBOX, 'Evidence that the judge has not acknowledged'),
  jarvis_outbox_oldest_age_seconds: gauge(WITH_OUTBOX, 'Age of the oldest of it; 0 when there is none'),
  jarvis_outbox_refused: gauge(WITH_OUTBOX, 'Evidence that the judge will not take, set aside'),

  jarvis_experiences_total: counter(CORE, 'Experiences that were accepted', 'kind', 'source'),
  jarvis_drop_files_total: counter(
    CORE,
    'Files of the drop folder since the start; outcome is taken, repeated or rejected',
    'outcome',
  ),
  jarvis_jobs: gauge(CORE, 'Training jobs', 'kind', 'state'),
  jarvis_job_oldest_wait_seconds: gauge(CORE, 'How long the oldest job waits that has not started', 'kind'),
  jarvis_job_queue_wait_seconds: {
    ...histogram(WAIT_BUCKETS_SECONDS, 'From asking for a job to the start of its first attempt', 'kind'),
    services: CORE,
  },
  jarvis_training_slots: gauge(CORE, 'Training slots; state is held or free', 'state'),
  jarvis_leases: gauge(CORE, 'Memory leases', 'state'),
  jarvis_memory_budget_bytes: gauge(CORE, 'The budget'),
  jarvis_memory_safety_bytes: gauge(CORE, 'What is never granted of it'),
  jarvis_memory_reserved_bytes: gauge(CORE, 'What is kept for leases'),
  jarvis_memory_available_bytes: gauge(CORE, 'What could be granted now'),
  jarvis_memory_measured_bytes: gauge(
    CORE,
    'As measured: each service, training (all trainers) and others',
    'owner',
  ),

  jarvis_served_version_info: gauge(
    PRIME,
    'Always 1: versions in memory; role is stable, candidate or previous',
    'kind',
    'version',
    'role',
    'state',
  ),
  jarvis_served_version_cost_seconds: gauge(
    PRIME,
    'What one prediction was measured to cost when the version was loaded; place is loop (the event loop) or thread',
    'kind',
    'version',
    'place',
  ),
  jarvis_served_version_restarts_total: counter(
    PRIME,
    'Restarts of the thread of a version in memory, after crashes',
    'kind',
    'version',
  ),
  jarvis_version_requests_total: counter(
    PRIME,
    'Predictions that a version in memory answered or failed',
    'kind',
    'version',
    'arm',
  ),
  jarvis_version_failures_total: counter(PRIME, 'Those that it failed', 'kind', 'version', 'arm'),
  jarvis_prediction_duration_seconds: {
    ...histogram(
      PREDICTION_BUCKETS_SECONDS,
      'From asking a version in memory to its answer, waiting for a run included',
      'kind',
      'version',
      'arm',
    ),
    services: PRIME,
  },
  jarvis_prediction_batch_inputs: {
    ...histogram(
      BATCH_BUCKETS_INPUTS,
      'Predictions of one run of a model in memory',
      'kind',
      'version',
      'arm',
    ),
    services: PRIME,
    unit: 'inputs',
  },
  jarvis_predictions_pending: gauge(PRIME, 'Predictions that wait for a run', 'kind', 'version', 'arm'),
  jarvis_predictions_running: gauge(PRIME, 'Predictions under way'),
  jarvis_shadow_requests_total: counter(
    PRIME,
    'Inputs of a rollout for the version that did not serve them; skipped: over the budget',
    'outcome',
  ),
  jarvis_prime_llm_state: gauge(PRIME, '1 for the state that the LLM server is in', 'state'),
  jarvis_prime_llm_requests_running: gauge(PRIME, 'Requests that the LLM server works on for J-Prime'),
  jarvis_prime_llm_requests_pending: gauge(PRIME, 'Requests held up until the LLM server is ready'),
  jarvis_prime_llm_loads_total: counter(
    PRIME,
    'Loads of the LLM since the start; outcome is ready or failed',
    'outcome',
  ),
  jarvis_prime_llm_away_seconds_total: counter(
    PRIME,
    'How long the LLM server was not ready since the start',
  ),
  jarvis_memory_lent: gauge(PRIME, '1 while memory is given away for training'),

  jarvis_runs: gauge(REACTOR, 'Runs of trainers', 'kind', 'state'),
  jarvis_trainer_bad_lines_total: counter(REACTOR, 'Lines of trainers that were no events', 'kind'),
  jarvis_versions: gauge(REACTOR, 'Versions in the registry', 'kind'),
  jarvis_deployments: gauge(REACTOR, 'Deployments', 'kind', 'state'),
  jarvis_champion_info: gauge(REACTOR, 'Always 1: the version that everybody gets', 'kind', 'version'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
export type MetricNameOf<T extends MetricType> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];
export type LabelsOf<N extends MetricName> = Readonly<Record<(typeof METRICS)[N]['labels'][number], string>>;
