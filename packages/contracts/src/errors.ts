// The closed registry of error codes, and the only table from code to HTTP status. Clients branch on codes, never on
// messages. On the wire an error is `application/problem+json` (RFC 9457) that also carries the earlier contract's `error`.
import { z } from 'zod';

export const ERROR_CODES = {
  invalid_request: { status: 400, title: 'The request does not fit its schema' },
  malformed_json: { status: 400, title: 'The body is not JSON' },
  dataset_empty: { status: 400, title: 'There is nothing to learn from' },
  path_not_allowed: { status: 400, title: 'The path is outside the folders that the configuration allows' },
  unauthorized: { status: 401, title: 'A bearer token is needed' },
  host_not_allowed: { status: 403, title: 'The Host header names another machine' },
  not_found: { status: 404, title: 'There is no such thing here' },
  method_not_allowed: { status: 405, title: 'This path does not take that method' },
  stale_token: { status: 409, title: 'A newer fencing token has been seen' },
  job_conflict: { status: 409, title: 'This job_id was used with another body' },
  already_ended: { status: 409, title: 'It has ended already' },
  illegal_transition: { status: 409, title: 'The lifecycle does not allow this now' },
  lock_held: { status: 409, title: 'Somebody else holds the lock' },
  lock_lost: { status: 409, title: 'The lock is no longer held with this token' },
  request_ended: { status: 409, title: 'This request id was cancelled, or its grant has ended' },
  feedback_conflict: { status: 409, title: 'This interaction was judged differently before' },
  idempotency_conflict: { status: 409, title: 'This idempotency key was used with another body' },
  alias_kept: { status: 409, title: 'The rollouts keep this alias' },
  nothing_to_roll_back_to: { status: 409, title: 'There is no earlier version' },
  body_too_large: { status: 413, title: 'The body is over the limit' },
  unsupported_media_type: { status: 415, title: 'The body has to be application/json' },
  unsupported_model_type: { status: 422, title: 'No trainer is configured for this kind of model' },
  artifact_refused: { status: 422, title: 'It cannot become a version' },
  dataset_corrupt: { status: 422, title: 'The data set does not match its digest' },
  slot_busy: { status: 503, title: 'No training slot is free' },
  memory_unavailable: { status: 503, title: 'There is no memory for it now' },
  no_version: { status: 503, title: 'No version of this kind is served yet' },
  model_unavailable: { status: 503, title: 'The model cannot answer now' },
  llm_unavailable: { status: 503, title: 'The LLM server cannot answer now' },
  service_unavailable: { status: 503, title: 'A service that this call needs is away' },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  storage_full: { status: 507, title: 'The disk is full' },
  internal: { status: 500, title: 'Something went wrong here; the log has the cause' },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'urn:jarvis:error:<code>' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    error: z.string().meta({ description: 'the same as detail, for clients of the earlier contract' }),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    active_job_id: z.string().optional(),
    retry_after_seconds: z.number().optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

export interface ProblemDetails {
  readonly issues?: readonly { path: string; message: string }[];
  readonly active_job_id?: string;
  readonly retry_after_seconds?: number;
}

/** An error with a code that may be shown to a client. Anything else becomes `internal`. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: ErrorCode;
  readonly details: ProblemDetails;
  constructor(code: ErrorCode, message: string, details: ProblemDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

export function isCodedError(error: unknown, code?: ErrorCode): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}

/** For what only a programmer's error can bring about; on in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
