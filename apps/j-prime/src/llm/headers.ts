// Which headers go on: all but those that speak of one connection, our own token, and what the client library sets itself.
import type { IncomingHttpHeaders } from 'node:http';

/** RFC 9110, section 7.6.1; `expect` is answered by Node before it comes here. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);
const OURS = new Set(['host', 'authorization', 'content-length']);

type Headers = Record<string, string | string[]>;

/** The length of the body is set anew, from the body that is sent. */
export function headersUp(headers: IncomingHttpHeaders, apiKey: string | null): Headers {
  const up = forwarded(headers, OURS);
  if (apiKey !== null) up['authorization'] = `Bearer ${apiKey}`;
  return up;
}

export function headersDown(headers: IncomingHttpHeaders): Headers {
  return forwarded(headers, NONE);
}

const NONE: ReadonlySet<string> = new Set();

function forwarded(headers: IncomingHttpHeaders, dropped: ReadonlySet<string>): Headers {
  const named = namedBy(headers.connection);
  const kept: Headers = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || HOP_BY_HOP.has(name) || dropped.has(name) || named?.has(name) === true)
      continue;
    kept[name] = value;
  }
  return kept;
}

/** Headers that the sender declares to be of this connection only. */
function namedBy(connection: string | undefined): ReadonlySet<string> | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}
