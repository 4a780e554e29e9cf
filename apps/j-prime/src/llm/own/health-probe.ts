// One look at an LLM server: whether it answers, and whether it is ready.
//
//   GET /health   200 ready   503 loading   404 there is no such path: GET /v1/models, 200 ready

export type Answer =
  /** `running`: its own count of requests, where its health tells it. */
  | { readonly kind: 'ready'; readonly running: number | null }
  | { readonly kind: 'loading'; readonly detail: string }
  | { readonly kind: 'silent'; readonly detail: string };

export interface ProbeOptions {
  readonly baseUrl: string;
  readonly healthPath: string;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
}

/** A stopped event loop answers nothing; a loaded machine answers late. */
export const PROBE_LIMIT_MS = 2000;
const NO_SUCH_PATH = 404;
const MODELS_PATH = '/v1/models';

/** Never throws. */
export async function probe(options: ProbeOptions): Promise<Answer> {
  const { baseUrl, healthPath } = options;
  try {
    const health = await get(`${baseUrl}${healthPath}`, options);
    if (health.status !== NO_SUCH_PATH) return understood(health, healthPath);
    return understood(await get(`${baseUrl}${MODELS_PATH}`, options), MODELS_PATH);
  } catch (error) {
    return { kind: 'silent', detail: `${baseUrl} does not answer (${reasonOf(error)})` };
  }
}

/** Names that it answers to; none where it does not tell. Never throws. */
export async function listModels(options: ProbeOptions): Promise<string[]> {
  try {
    const { body } = await get(`${options.baseUrl}${MODELS_PATH}`, options);
    const { data } = body as { data?: { id?: unknown }[] };
    return (data ?? []).map((model) => model.id).filter((id) => typeof id === 'string');
  } catch {
    return [];
  }
}

interface Got {
  readonly status: number;
  /** Null where it is not JSON. */
  readonly body: unknown;
}

async function get(url: string, { fetch, signal }: ProbeOptions): Promise<Got> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_LIMIT_MS)]);
  const response = await fetch(url, { signal: limit });
  const body: unknown = await response.json().catch(() => null);
  return { status: response.status, body };
}

function understood({ status, body }: Got, path: string): Answer {
  if (status !== 200) return { kind: 'loading', detail: `${path} answers ${status}` };
  const running = (body as { running?: unknown } | null)?.running;
  return { kind: 'ready', running: typeof running === 'number' ? running : null };
}

/** What fetch hides in the cause. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `nothing within ${PROBE_LIMIT_MS / 1000} s`;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ?? message;
}
