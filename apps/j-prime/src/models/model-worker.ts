// What a model's thread runs.
import { loadModel } from '@jarvis/model-kinds';
import { serveInThread } from './serve-in-thread.ts';

await serveInThread(loadModel);
