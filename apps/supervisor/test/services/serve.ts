// A small service of the system, real enough to be started, asked, adopted and stopped. How it behaves is read from
// `fixture-<service>` in JARVIS_HOME, so that a test can change it between two starts:
//   crash | slow | wrong | starting | deaf | lonely
// What happens to it is appended to `happened` there.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';

const home = String(process.env['JARVIS_HOME']);

export function serve(service: string, port: number, peers: Readonly<Record<string, number>>): void {
  const happened = (what: string): void => appendFileSync(join(home, 'happened'), `${service} ${what}\n`);
  const mode = (): string => {
    try {
      return readFileSync(join(home, `fixture-${service}`), 'utf8').trim();
    } catch {
      return '';
    }
  };
  if (mode() === 'crash') {
    console.log('looking for the reactor');
    console.error(`${service} has no fuel`);
    process.exit(7);
  }
  happened('started');
  process.on('SIGTERM', () => {
    happened('SIGTERM');
    if (mode() !== 'deaf') process.exit(0);
  });
  const homeId = process.env['FIXTURE_HOME_ID'] ?? readFileSync(join(home, 'home_id'), 'utf8').trim();

  async function health(response: ServerResponse): Promise<void> {
    const seen = await Promise.all(
      Object.entries(peers).map(async ([name, at]) => {
        const reachable = mode() !== 'lonely' && (await answers(at));
        return [name, { reachable, detail: reachable ? 'it answers' : 'no answer' }] as const;
      }),
    );
    json(response, 200, {
      service: process.env['FIXTURE_SERVICE'] ?? service,
      instance_id: `${service}-${process.pid}`,
      home_id: homeId,
      pid: process.pid,
      started_at: '2026-11-24T00:00:00Z',
      contract_version: Number(process.env['FIXTURE_CONTRACT'] ?? 1),
      status: mode() === 'starting' ? 'starting' : 'healthy',
      uptime_seconds: 1,
      active_training_jobs: 0,
      experience_buffer_size: 0,
      models_deployed: {},
      peers: Object.fromEntries(seen),
    });
  }

  const server = createServer((request, response) => {
    if (request.url === '/ping') return json(response, 200, {});
    if (request.url === '/health')
      return mode() === 'wrong' ? json(response, 500, {}) : void health(response);
    if (request.url === '/crash') process.exit(9);
    if (request.url?.startsWith('/api/shutdown') !== true) return json(response, 404, {});
    happened(`shutdown${new URL(request.url, 'http://x').search}`);
    if (mode() === 'deaf') return json(response, 503, {});
    json(response, 202, {});
    server.close(() => {
      happened('ended');
      process.exit(0);
    });
    server.closeIdleConnections();
  });
  setTimeout(() => server.listen(port, '127.0.0.1'), mode() === 'slow' ? 400 : 0);
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ping`, { signal: AbortSignal.timeout(1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
}
