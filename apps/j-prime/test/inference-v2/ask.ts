// Questions in the Open Inference Protocol v2, put without a client library.
import type { InferResponse } from '../../src/protocols/inference-v2/messages.ts';
import { writeBytesElements } from '../../src/protocols/inference-v2/binary.ts';
import type { Client } from '../harness.ts';

export const INFER = '/v2/models/nlu/infer';

export interface Answer {
  readonly status: number;
  readonly body: InferResponse & { readonly error?: string };
}

/** A request for these texts, as JSON. */
export function textsAsJson(...texts: readonly string[]) {
  return {
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [texts.length], data: [...texts] as unknown[] }],
  };
}

/** The same with the texts behind the JSON, and its length for the header. */
export function textsAsBytes(texts: readonly string[], more: object = {}): { head: number; body: Buffer } {
  const bytes = writeBytesElements(texts);
  const parameters = { binary_data_size: bytes.length };
  const input = { name: 'text', datatype: 'BYTES', shape: [texts.length], parameters };
  const json = Buffer.from(JSON.stringify({ inputs: [input], ...more }));
  return { head: json.length, body: Buffer.concat([json, bytes]) };
}

export async function infer(prime: Client, body: unknown, path = INFER): Promise<Answer> {
  return (await prime.call('POST', path, body)) as Answer;
}

/** With the header of the extension, and without a content type unless `headers` has one, as some clients do. */
export function sendBytes(prime: Client, body: Buffer, headers: Record<string, string>): Promise<Response> {
  return fetch(prime.url + INFER, { method: 'POST', body: new Uint8Array(body), headers });
}
