// Ports for an LLM server: one that nobody listens on, or the user's own, if it is free.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { CodedError } from '@jarvis/contracts';
import { findListener } from '@jarvis/process';

/** A port that the system gives away; somebody else may take it before it is used, which then is a start that failed. */
export async function freePort(host: string): Promise<number> {
  return await listenOnce(host, 0);
}

/** @throws {CodedError} `llm_unavailable`, naming who listens there */
export async function mustBeFree(host: string, port: number): Promise<number> {
  try {
    return await listenOnce(host, port);
  } catch (error) {
    const listener = await findListener(port);
    const who = listener === null ? 'another program' : `pid ${listener.pid}: ${listener.command}`;
    throw new CodedError(
      'llm_unavailable',
      `port ${port} of the LLM server is taken (${who}): stop that program, or give the LLM server another port`,
      {},
      { cause: error },
    );
  }
}

async function listenOnce(host: string, port: number): Promise<number> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const given = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
  return given;
}
