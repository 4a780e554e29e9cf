// Bytes from a URL, no more of them than were agreed on.
import { CodedError } from '@jarvis/contracts';
import { request } from 'undici';

export interface DownloadOptions {
  readonly url: string;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly token: string | null;
}

/** Throws `service_unavailable` when it cannot be had, `body_too_large` when there is more of it than `bytesMax`. */
export async function download({ url, bytesMax, timeoutMs, token }: DownloadOptions): Promise<Buffer> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    const response = await request(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
    if (response.statusCode !== 200) throw new Error(`it answered ${response.statusCode}`);
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new CodedError('body_too_large', `${url} has more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof CodedError) throw error;
    const why = (error as Error).message;
    throw new CodedError('service_unavailable', `${url} could not be fetched: ${why}`, {}, { cause: error });
  }
  return Buffer.concat(chunks);
}
