// Ends on SIGTERM at once, but leaves behind a child that is deaf to it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const child = spawn(process.execPath, [join(import.meta.dirname, 'deaf.ts')], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
child.stdout.once('data', () => console.log(`ready ${child.pid}`));
process.on('SIGTERM', () => process.exit(0));
process.on('SIGUSR2', () => process.exit(1));
