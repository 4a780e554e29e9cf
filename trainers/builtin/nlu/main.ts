// The built-in trainer of intent models: `node main.ts <job.json>`, one thread, from scratch, the same bits every time.
import { runTrainer } from '@jarvis/trainer-kit';
import { nluTrainer } from './trainer.ts';

await runTrainer(nluTrainer);
