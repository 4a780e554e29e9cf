// Counts something, then scrapes; says before and after whether prom-client is loaded.
import { createRequire } from 'node:module';
import { createHttpShell, Meter, silentLogger } from '@jarvis/runtime';

const { cache } = createRequire(import.meta.url);
const isLoaded = (): boolean => Object.keys(cache).some((path) => path.includes('/prom-client/'));
const meter = new Meter();
const server = await createHttpShell({
  identity: {
    service: 'j-prime',
    instance_id: 'prime-1',
    home_id: 'home-1',
    pid: process.pid,
    started_at: '2026-01-01T00:00:00.000Z',
    contract_version: 1,
  },
  title: 'A service',
  logger: silentLogger(),
  meter,
  bodyLimitBytes: 1000,
  host: '127.0.0.1',
  token: null,
});
await server.inject({ path: '/openapi.json', headers: { host: 'localhost' } });
const before = isLoaded();
await server.inject({ path: '/metrics', headers: { host: 'localhost' } });
process.stdout.write(JSON.stringify({ before, after: isLoaded() }));
await server.close();
