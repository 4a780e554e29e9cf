// The HTTP server that every service has: schemas validate and document, errors are problems, strangers are kept out.
import swagger from '@fastify/swagger';
import { CodedError, type Identity, type Problem, problemSchema } from '@jarvis/contracts';
import { activeTrigger } from '@jarvis/failpoints';
import Fastify, { type FastifyBaseLogger, type FastifyReply, LogController } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { addApiDocs } from './api-docs.ts';
import { isLoopback } from './config.ts';
import type { HttpServer } from './http-server.ts';
import type { Logger } from './logger.ts';
import { addHttpMetrics } from './metrics/http-metrics.ts';
import type { Meter } from './metrics/meter.ts';
import { PROBLEM_CONTENT_TYPE, problemOf } from './problem.ts';
import { endStreams } from './sse.ts';

const REQUEST_TIMEOUT_MS = 60_000;

export interface HttpShellOptions {
  readonly identity: Identity;
  readonly title: string;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly bodyLimitBytes: number;
  /** The address that is listened on: its name is allowed in the Host header, beside loopback's. */
  readonly host: string;
  readonly token: string | null;
}

/** With these any name may be meant; the token, which is then required, stands guard. */
const LISTENS_EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Paths that answer without a token: who is there, and nothing else. */
const OPEN_PATHS = new Set(['/health', '/api/health']);

export async function createHttpShell(options: HttpShellOptions): Promise<HttpServer> {
  const logger: FastifyBaseLogger = options.logger;
  const server = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // HTTP_BODY_LIMIT_MB may be a fraction; Fastify takes whole bytes only.
    bodyLimit: Math.floor(options.bodyLimitBytes),
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // A path that cannot even be read is refused before any hook or handler of ours.
    frameworkErrors: (error, _req, reply) => void sendProblem(reply, codedFrom(error)),
    routerOptions: { maxParamLength: 512 },
  }).withTypeProvider<ZodTypeProvider>();
  // JSON only; text is also what a page of another origin may send without asking.
  server.removeContentTypeParser('text/plain');
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.addHook('onRequest', async (req) => {
    refuseStrangers(req.headers, options.host);
    if (options.token !== null && !OPEN_PATHS.has(req.url))
      refuseWithoutToken(req.headers.authorization, options.token);
  });
  server.setErrorHandler(async (error, req, reply) => {
    const coded = codedFrom(error);
    if (coded.code === 'internal')
      req.log.error({ err: error, method: req.method, url: req.url }, 'request failed');
    return sendProblem(reply, coded);
  });
  let isClosing = false;
  server.addHook('preClose', async () => {
    isClosing = true;
    endStreams(server.server);
  });
  // A connection that an answer under way leaves open would hold the closing server for as long as its client likes.
  server.addHook('onSend', async (_req, reply) => {
    if (isClosing) void reply.header('connection', 'close');
  });
  loseReplies(server, options.identity.service);
  server.setNotFoundHandler(async (req) => {
    throw new CodedError('not_found', `there is nothing at ${req.method} ${req.url.split('?')[0]}`);
  });
  addHttpMetrics(server, options);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: options.title, version: `${options.identity.contract_version}.0.0` },
    },
    transform: jsonSchemaTransform,
    transformObject: withProblems,
  });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
  addApiDocs(server, options.title);
  return server;
}

/** Where a test says so, the work is done and its answer does not arrive. */
function loseReplies(server: HttpServer, service: string): void {
  const trigger = activeTrigger();
  if (trigger === null) return;
  server.addHook('onSend', async (req) => {
    const request = `${service} ${req.method} ${req.routeOptions.url ?? ''}`;
    if (trigger.losesReply(request)) req.raw.socket.destroy();
  });
}

function sendProblem(reply: FastifyReply, error: CodedError): FastifyReply {
  const problem: Problem = problemOf(error);
  if (problem.retry_after_seconds !== undefined)
    void reply.header('retry-after', Math.max(1, Math.ceil(problem.retry_after_seconds)));
  // Sent as text: the response schema of the route speaks of its answers, not of its errors.
  return reply.code(problem.status).type(PROBLEM_CONTENT_TYPE).serializer(JSON.stringify).send(problem);
}

type Documented = ReturnType<typeof jsonSchemaTransformObject>;

/** Every call may answer with a problem, whatever else it says. */
function withProblems(documentOf: Parameters<typeof jsonSchemaTransformObject>[0]): Documented {
  const document = jsonSchemaTransformObject(documentOf) as {
    paths?: object;
    components?: { schemas?: object };
  };
  const schema = { $ref: '#/components/schemas/Problem' };
  const problem = {
    description: 'What went wrong, with a stable code',
    content: { 'application/problem+json': { schema } },
  };
  for (const path of Object.values(document.paths ?? {}) as Record<
    string,
    { responses?: Record<string, unknown> }
  >[]) {
    for (const operation of Object.values(path))
      operation.responses = { ...operation.responses, default: problem };
  }
  const { $defs } = z.toJSONSchema(problemSchema);
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: $defs?.['Problem'] },
  };
  return document as Documented;
}

function refuseStrangers(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  host: string,
): void {
  const asked = hostname(String(headers['host'] ?? ''));
  if (!isLoopback(asked) && asked !== host && !LISTENS_EVERYWHERE.has(host)) {
    throw new CodedError(
      'host_not_allowed',
      `the Host header names "${asked}": this service answers on loopback and ${host} only`,
    );
  }
  // A page of another origin may send a request without asking; its browser then says where it comes from.
  const origin = headers['origin'];
  const foreign = typeof origin === 'string' && !isSameOrigin(origin, String(headers['host'] ?? ''));
  if (foreign || headers['sec-fetch-site'] === 'cross-site') {
    throw new CodedError('host_not_allowed', 'a page of another origin may not call this service');
  }
}

function isSameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

function refuseWithoutToken(header: string | undefined, token: string): void {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw new CodedError('unauthorized', 'send the token as "Authorization: Bearer …" (JARVIS_API_TOKEN)');
  }
}

/** What Fastify itself refuses, by its code. */
const FASTIFY_ERRORS: Readonly<Record<string, (message: string) => CodedError>> = {
  FST_ERR_BAD_URL: (message) => new CodedError('invalid_request', message),
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new CodedError('body_too_large', 'the body is over the limit (HTTP_BODY_LIMIT_MB)'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new CodedError('unsupported_media_type', 'send the body as application/json'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new CodedError('malformed_json', 'the body is empty'),
  FST_ERR_CTP_INVALID_JSON_BODY: (message) =>
    new CodedError('malformed_json', `the body is not JSON: ${message}`),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: (message) => new CodedError('invalid_request', message),
};

function codedFrom(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map((v) => ({
      path: `${error.validationContext}${v.instancePath.replaceAll('/', '.')}`.replace(/\.$/, ''),
      message: v.message ?? 'does not fit',
    }));
    return new CodedError('invalid_request', issues.map((i) => `${i.path}: ${i.message}`).join('; '), {
      issues,
    });
  }
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = code === undefined ? undefined : FASTIFY_ERRORS[code];
  if (known !== undefined) return known(message ?? '');
  if (statusCode === 400) return new CodedError('malformed_json', message ?? 'the request is malformed');
  return new CodedError('internal', 'something went wrong here; the log has the cause', {}, { cause: error });
}
