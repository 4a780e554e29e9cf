// What a process can say of itself, read when it is asked for: no timers, no observers of the garbage collector.
import type { Reader } from './meter.ts';

const MICROSECONDS = 1e6;

export const readProcessMetrics: Reader = (put) => {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  put('process_start_time_seconds', {}, performance.timeOrigin / 1000);
  put('process_cpu_user_seconds_total', {}, cpu.user / MICROSECONDS);
  put('process_cpu_system_seconds_total', {}, cpu.system / MICROSECONDS);
  put('process_resident_memory_bytes', {}, memory.rss);
  put('nodejs_heap_size_used_bytes', {}, memory.heapUsed);
  put('nodejs_heap_size_total_bytes', {}, memory.heapTotal);
  put('nodejs_external_memory_bytes', {}, memory.external);
  put('nodejs_eventloop_utilization_ratio', {}, performance.eventLoopUtilization().utilization);
};
