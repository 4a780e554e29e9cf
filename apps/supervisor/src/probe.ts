// Asks `GET /health` and judges who answered.
import { CONTRACT_VERSION, type Health, healthSchema, type ServiceName } from '@jarvis/contracts';

export type Probe =
  | { readonly kind: 'ours'; readonly health: Health }
  /** Somebody listens there, who is not this service of this home. */
  | { readonly kind: 'stranger'; readonly why: string }
  /** Somebody listens there and gives no answer in time. */
  | { readonly kind: 'silent'; readonly why: string }
  | { readonly kind: 'nothing'; readonly why: string };

export interface Expected {
  readonly service: ServiceName;
  /** null: of any home; so it is with services on other machines. */
  readonly homeId: string | null;
}

export interface Http {
  readonly fetch: typeof fetch;
  readonly token: string | null;
}

const NOBODY_THERE =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|UND_ERR_CONNECT_TIMEOUT)$/;
/** A health answer is a few hundred bytes; what is larger is something else. */
const healthBytesMax = 1024 * 1024;

export async function probe(url: string, expected: Expected, http: Http, timeoutMs: number): Promise<Probe> {
  let text: string;
  let status: number;
  try {
    const response = await http.fetch(`${url}/health`, {
      headers: { ...authorization(http), connection: 'close' },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    if (Number(response.headers.get('content-length')) > healthBytesMax) {
      await response.body?.cancel();
      return { kind: 'stranger', why: 'it answers /health with something large' };
    }
    text = await response.text();
  } catch (error) {
    return judgeFailure(error, timeoutMs);
  }
  return judge(text, status, expected);
}

export function authorization(http: Http): Record<string, string> {
  return http.token === null ? {} : { authorization: `Bearer ${http.token}` };
}

function judgeFailure(error: unknown, timeoutMs: number): Probe {
  if ((error as Error).name === 'TimeoutError')
    return { kind: 'silent', why: `no answer to /health within ${timeoutMs} ms` };
  const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
  const code = cause?.code ?? (error as NodeJS.ErrnoException).code ?? '';
  if (NOBODY_THERE.test(code)) return { kind: 'nothing', why: code };
  // A connection that is reset may be a service in the middle of its end, or one that speaks no HTTP.
  return { kind: 'silent', why: `it breaks the connection off (${code || (error as Error).message})` };
}

function judge(text: string, status: number, expected: Expected): Probe {
  const parsed = healthSchema.safeParse(asJson(text));
  if (!parsed.success)
    return {
      kind: 'stranger',
      why:
        status === 401 || status === 403
          ? `it refuses the question with status ${status} (another JARVIS_API_TOKEN?)`
          : `it does not answer /health as a service of this system does (status ${status})`,
    };
  const health = parsed.data;
  if (health.service !== expected.service)
    return { kind: 'stranger', why: `it is ${health.service}, not ${expected.service}` };
  if (health.contract_version !== CONTRACT_VERSION)
    return {
      kind: 'stranger',
      why: `it speaks version ${health.contract_version} of the contract, this is ${CONTRACT_VERSION}: stop it, and start it anew from this version`,
    };
  if (expected.homeId !== null && health.home_id !== expected.homeId)
    return { kind: 'stranger', why: `it is the ${health.service} of another JARVIS_HOME` };
  return { kind: 'ours', health };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
