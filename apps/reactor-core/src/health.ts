// `GET /health` and `GET /api/resources` of Reactor Core.
import {
  BYTES_PER_GB,
  type Health,
  healthSchema,
  type Identity,
  machineResourcesSchema,
} from '@jarvis/contracts';
import {
  cpuPercentBetween,
  createGpuReader,
  type GpuMemory,
  readMachineMemory,
  sampleCpu,
} from '@jarvis/process';
import type { Clock, HttpServer, Logger, ServiceClient } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { needOf } from './runs/queries.ts';
import { listLiveRuns } from './store/runs.ts';
import { listChampions } from './store/versions.ts';

export interface HealthOptions {
  readonly identity: Identity;
  readonly db: Database;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly core: ServiceClient;
  readonly logger: Logger;
}

export function addHealthRoutes(server: HttpServer, options: HealthOptions): void {
  const { db, logger } = options;
  for (const path of ['/health', '/api/health']) {
    server.get(path, { schema: { summary: 'Who answers here', response: { 200: healthSchema } } }, () =>
      healthOf(options),
    );
  }
  const readGpu = createGpuReader((error) => logger.warn({ err: error }, 'GPUs could not be measured'));
  let before = sampleCpu();
  server.get(
    '/api/resources',
    {
      schema: {
        summary: 'Memory, processors, and what is reserved',
        response: { 200: machineResourcesSchema },
      },
    },
    async () => {
      const [memory, gpu, runs] = await Promise.all([readMachineMemory(), readGpu(), listLiveRuns(db)]);
      const now = sampleCpu();
      const cpuPercent = cpuPercentBetween(before, now);
      before = now;
      return {
        memory_usage_gb: memory.used_bytes / BYTES_PER_GB,
        memory_total_gb: memory.total_bytes / BYTES_PER_GB,
        cpu_percent: cpuPercent,
        ...gpuFigures(gpu),
        active_training_jobs: runs.length,
        reserved: runs.flatMap((run) => {
          const need = needOf(run);
          return need === null ? [] : [{ job_id: run.job_id, lease_id: run.lease_id, need }];
        }),
      };
    },
  );
}

/** Of all devices together, as far as they tell: bytes in use, and how busy they are on average. */
export function gpuFigures(gpu: GpuMemory | null): {
  gpu_memory_gb: number;
  gpu_utilization_percent: number;
} {
  const devices = gpu?.devices ?? [];
  const busy = devices.flatMap((device) => device.utilization_percent ?? []);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    gpu_memory_gb: sum(devices.map((device) => device.used_bytes ?? 0)) / BYTES_PER_GB,
    gpu_utilization_percent: busy.length === 0 ? 0 : sum(busy) / busy.length,
  };
}

async function healthOf({ identity, db, clock, startedMs, core }: HealthOptions): Promise<Health> {
  const [champions, runs] = await Promise.all([listChampions(db), listLiveRuns(db)]);
  return {
    ...identity,
    status: core.reachability().reachable ? 'healthy' : 'degraded',
    uptime_seconds: (clock.monotonic() - startedMs) / 1000,
    active_training_jobs: runs.length,
    experience_buffer_size: 0,
    models_deployed: Object.fromEntries(champions.map((c) => [c.model_type, c.version])),
    peers: { 'jarvis-core': core.reachability() },
  };
}
