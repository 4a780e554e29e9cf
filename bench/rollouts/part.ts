// A thread: its part of the rollouts.
import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulate.ts';
import type { Part } from './threads.ts';

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows of a browser
parentPort?.postMessage(simulate(workerData as Part));
