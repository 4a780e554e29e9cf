// A door between a store and its server, so that a test can slam it: the server itself may be somebody else's.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  /** The URL of the server, through the door. */
  readonly url: string;
  /** Ends all connections; those that come are refused until `open`. */
  shut(): void;
  open(): void;
  /** Passes the next message of a client that contains `text`, then shuts before the answer comes back. */
  shutBehind(text: string): void;
  close(): Promise<void>;
}

export async function startProxy(serverUrl: string): Promise<Proxy> {
  const target = new URL(serverUrl);
  const [port, host] = [Number(target.port || 5432), target.hostname];
  const sockets = new Set<Socket>();
  let isOpen = true;
  let trigger: string | null = null;
  const shut = (): void => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (!isOpen) return void client.destroy();
    const upstream = connect(port, host);
    let deaf = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (data) => {
      if (trigger !== null && data.includes(trigger)) {
        trigger = null;
        deaf = true;
        // The server has it in full and answers; nobody hears the answer.
        upstream.write(data);
        upstream.once('data', shut);
        return;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!deaf) client.write(data);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  target.hostname = '127.0.0.1';
  target.port = String((server.address() as AddressInfo).port);
  return {
    url: target.href,
    shut,
    open: () => (isOpen = true),
    shutBehind: (text) => (trigger = text),
    close: async () => {
      shut();
      await new Promise((done) => server.close(done));
    },
  };
}
