// Does two durable steps and says so after each; armed by its environment.
import { armFailpoints, durably } from '../../src/index.ts';

armFailpoints(process.env);
for (const step of ['test.first', 'test.second', 'test.first'] as const)
  await durably(step, async () => {
    process.stdout.write(`${step}\n`);
  });
process.stdout.write('end\n');
