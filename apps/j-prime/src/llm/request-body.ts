// The body of a request on its way up: small ones in one piece, so that they leave with their headers; others as a stream.
import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable, Transform } from 'node:stream';
import { CodedError } from '@jarvis/contracts';

/** A chat of some ten thousand words. */
const ONE_PIECE_BYTES_MAX = 64 * 1024;

/** @throws {CodedError} `body_too_large`; as the error of the stream where it shows only there */
export async function bodyUp(req: IncomingMessage, limitBytes: number): Promise<Buffer | Readable | null> {
  const length = req.headers['content-length'];
  if (length === undefined && req.headers['transfer-encoding'] === undefined) return null;
  const bytes = length === undefined ? null : Number(length);
  if (bytes !== null && bytes > limitBytes) throw tooLarge();
  if (bytes !== null && bytes <= ONE_PIECE_BYTES_MAX) return onePiece(req);
  const limited = limiter(limitBytes);
  // Its errors come out of `limited`, and there they are seen.
  pipeline(req, limited, () => undefined);
  return limited;
}

/** By events: an async iterator costs more than all the rest of a small request. */
function onePiece(req: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    req.once('error', reject);
    req.once('close', () => reject(new Error('the client is gone')));
  });
}

/** Which model a request names; null where it names none, or is too large to be looked through while it waits. */
export function modelOf(body: Buffer | Readable | null): string | null {
  if (!Buffer.isBuffer(body)) return null;
  try {
    const { model } = (JSON.parse(body.toString('utf8')) ?? {}) as { model?: unknown };
    return typeof model === 'string' ? model : null;
  } catch {
    return null;
  }
}

function limiter(limitBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.byteLength;
      if (bytes > limitBytes) done(tooLarge());
      else done(null, chunk);
    },
  });
}

function tooLarge(): CodedError {
  return new CodedError('body_too_large', 'the body is over the limit (HTTP_BODY_LIMIT_MB)');
}
