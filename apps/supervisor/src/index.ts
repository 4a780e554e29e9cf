// Starts, probes, adopts, restarts and stops the three services.
export {
  startSupervisor,
  type StopReport,
  type Summary,
  type Supervisor,
  type SupervisorOptions,
  type SupervisorState,
} from './supervisor.ts';
export { askServices, type ServiceAnswer } from './ask-services.ts';
export { type Events, type Phase, type SupervisorEvent } from './events.ts';
export { SupervisorError, type SupervisorErrorCode } from './errors.ts';
export { jsonLogger, type Logger, type LogLevel } from './logger.ts';
export { runForeground } from './foreground.ts';
export { stopHome, type HomeStop, type StopHomeOptions } from './stop-home.ts';
export { readSupervisorRecord, type SupervisorRecord } from './home-lock.ts';
export { enabledServices, LOG_FILES, ownPrograms, type Programs, SERVICE_TITLES } from './services.ts';
export type { UnitSummary } from './unit.ts';
