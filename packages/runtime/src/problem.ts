// Errors on the wire: a coded error as `application/problem+json`, and back.
import { CodedError, ERROR_CODES, type ErrorCode, type Problem, problemSchema } from '@jarvis/contracts';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

export function problemOf(error: CodedError): Problem {
  const { status, title } = ERROR_CODES[error.code];
  const { issues, ...details } = error.details;
  return {
    type: `urn:jarvis:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    error: error.message,
    ...details,
    ...(issues === undefined ? {} : { issues: [...issues] }),
  };
}

/** What another service answered with status >= 400, as the error that it was there. */
export function errorFromResponse(status: number, body: unknown, whom: string): CodedError {
  const problem = problemSchema.safeParse(body);
  if (!problem.success) return new CodedError(codeFor(status), `${whom} answered ${status}`);
  const { code, detail, issues, active_job_id, retry_after_seconds } = problem.data;
  return new CodedError(code, detail, {
    ...(issues === undefined ? {} : { issues }),
    ...(active_job_id === undefined ? {} : { active_job_id }),
    ...(retry_after_seconds === undefined ? {} : { retry_after_seconds }),
  });
}

/** For answers of implementations that send no code of ours. */
function codeFor(status: number): ErrorCode {
  const code = (Object.keys(ERROR_CODES) as ErrorCode[]).find((c) => ERROR_CODES[c].status === status);
  return code ?? (status >= 500 ? 'service_unavailable' : 'invalid_request');
}
