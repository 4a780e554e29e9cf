// Bodies under /v2: JSON, which the schema of the route sees, and behind it the bytes of tensors, if the header
// Inference-Header-Content-Length says where the JSON ends. Clients of the protocol send them without a content type, too.
import { CodedError } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';

export const HEADER_LENGTH = 'inference-header-content-length';
export const BINARY_CONTENT_TYPE = 'application/octet-stream';
const CONTENT_TYPES: ReadonlySet<string> = new Set(['', 'application/json', BINARY_CONTENT_TYPE]);
const NOTHING = Buffer.alloc(0);

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The bytes behind the JSON of requests under way. */
const binaries = new WeakMap<object, Buffer>();

/** What followed the JSON of this request's body. */
export function binaryOf(req: object): Buffer {
  return binaries.get(req) ?? NOTHING;
}

/** For a scope of its own: no body in it is read in any other way. */
export function readTensorBodies(scope: HttpServer): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (req, body: Buffer, done) => {
    try {
      refuseForeign(req.headers);
      const { json, binary } = splitBody(req.headers[HEADER_LENGTH], body);
      binaries.set(req, binary);
      done(null, json);
    } catch (error) {
      done(error as Error);
    }
  });
}

function refuseForeign(headers: Headers): void {
  const type = String(headers['content-type'] ?? '');
  const name = type.split(';')[0]?.trim().toLowerCase() ?? '';
  if (!CONTENT_TYPES.has(name))
    throw new CodedError(
      'unsupported_media_type',
      `send the body as application/json, or with binary tensors as ${BINARY_CONTENT_TYPE}, not as ${name}`,
    );
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new CodedError(
      'unsupported_media_type',
      `send the body as it is: Content-Encoding ${String(encoding)} is not understood here`,
    );
}

/** @throws {CodedError} `invalid_request`, `malformed_json` */
export function splitBody(
  header: string | string[] | undefined,
  body: Buffer,
): { json: unknown; binary: Buffer } {
  const jsonBytes = header === undefined ? body.length : lengthIn(header);
  if (jsonBytes > body.length)
    throw new CodedError(
      'invalid_request',
      `Inference-Header-Content-Length is ${jsonBytes}, and the body has ${body.length} bytes`,
    );
  return { json: parseJson(body.subarray(0, jsonBytes)), binary: body.subarray(jsonBytes) };
}

function lengthIn(header: string | string[]): number {
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new CodedError(
    'invalid_request',
    `Inference-Header-Content-Length is "${String(header)}": it has to be a number of bytes`,
  );
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new CodedError('malformed_json', 'the JSON of the body is empty');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new CodedError('malformed_json', `the body is not JSON: ${(error as Error).message}`);
  }
}
