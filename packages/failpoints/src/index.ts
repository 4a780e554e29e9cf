// Failpoints: where a process can be made to die, hang, or lose a reply, by name.
export { STEPS, type Step } from './steps.ts';
export { activeTrigger, durably, failpoint, type Moment, setTrigger } from './failpoint.ts';
export { armFailpoints, type FailpointEntry, FAILPOINTS_VARIABLE, markOf } from './arm.ts';
