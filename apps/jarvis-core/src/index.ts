// What a bench drives without the service around it: the coordinator's store on a real database.
export { createSlotLocks } from './store/locks.ts';
export { MIGRATIONS } from './store/migrations.ts';
export { Queue, type QueueOptions } from './store/queue.ts';
