// The memory of NVIDIA GPUs: of each device, and of each process on it, as nvidia-smi tells them.
// A figure that a device does not have, or does not tell us ([N/A], [Not Supported], [Insufficient Permissions]: MIG), is null.
import { thisSystem, type System } from './system.ts';
import { systemTiming, type Timing } from './timing.ts';

export interface GpuDevice {
  readonly uuid: string;
  readonly index: number;
  readonly total_bytes: number | null;
  readonly used_bytes: number | null;
  readonly utilization_percent: number | null;
}

export interface GpuProcess {
  readonly pid: number;
  /** Of the device; under MIG it may be that of an instance. */
  readonly uuid: string;
  readonly used_bytes: number | null;
}

export interface GpuMemory {
  readonly devices: readonly GpuDevice[];
  readonly processes: readonly GpuProcess[];
}

const FORMAT = '--format=csv,noheader,nounits';
const DEVICE_FIELDS = 'index,uuid,memory.total,memory.used,utilization.gpu';
const PROCESS_FIELDS = 'pid,gpu_uuid,used_memory';
const BYTES_PER_MIB = 1024 ** 2;

/** Measures now. Null where there is no nvidia-smi; rejects when it fails, as without a driver. */
export async function readGpuMemory(system: System = thisSystem): Promise<GpuMemory | null> {
  try {
    const [devices, processes] = await Promise.all([
      system.runCommand('nvidia-smi', [`--query-gpu=${DEVICE_FIELDS}`, FORMAT]),
      system.runCommand('nvidia-smi', [`--query-compute-apps=${PROCESS_FIELDS}`, FORMAT]),
    ]);
    return { devices: parseDevices(devices), processes: parseProcesses(processes) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`nvidia-smi failed: ${firstLineOf(error)}`, { cause: error });
  }
}

/** A driver does not come or go by the second: where the look-up failed it is asked again after this. */
export const GPU_ABSENCE_REMEMBERED_MS = 60_000;

/** Reads like `readGpuMemory`; what was absent or failed is not asked again for a while, and is null until then. */
export function createGpuReader(
  onFailure: (error: Error) => void,
  { system = thisSystem, timing = systemTiming }: { system?: System; timing?: Timing } = {},
): () => Promise<GpuMemory | null> {
  let absentUntilMs = -Infinity;
  return async () => {
    if (timing.monotonicMs() < absentUntilMs) return null;
    const gpu = await readGpuMemory(system).catch((error: unknown) => {
      onFailure(error as Error);
      return null;
    });
    if (gpu === null) absentUntilMs = timing.monotonicMs() + GPU_ABSENCE_REMEMBERED_MS;
    return gpu;
  };
}

function parseDevices(text: string): GpuDevice[] {
  return rowsOf(text).flatMap(([index, uuid, total, used, utilization]) =>
    uuid === undefined || uuid === '' || numberOf(index) === null
      ? []
      : [
          {
            uuid,
            index: Number(index),
            total_bytes: bytesOf(total),
            used_bytes: bytesOf(used),
            utilization_percent: numberOf(utilization),
          },
        ],
  );
}

function parseProcesses(text: string): GpuProcess[] {
  return rowsOf(text).flatMap(([pid, uuid, used]) =>
    uuid === undefined || uuid === '' || numberOf(pid) === null
      ? []
      : [{ pid: Number(pid), uuid, used_bytes: bytesOf(used) }],
  );
}

function rowsOf(text: string): string[][] {
  return text.split('\n').map((line) => line.split(',').map((field) => field.trim()));
}

function numberOf(field: string | undefined): number | null {
  return field !== undefined && /^\d+(\.\d+)?$/.test(field) ? Number(field) : null;
}

function bytesOf(field: string | undefined): number | null {
  const mebibytes = numberOf(field);
  return mebibytes === null ? null : mebibytes * BYTES_PER_MIB;
}

/** What nvidia-smi has to say it says on its standard output. */
function firstLineOf(error: unknown): string {
  const { stdout, message } = error as Error & { stdout?: string };
  return (stdout?.trim() || message).split('\n')[0] ?? message;
}
