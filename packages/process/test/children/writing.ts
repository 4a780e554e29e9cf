// Writes numbered lines for as long as it lives, synchronously.
import { writeSync } from 'node:fs';

let n = 0;
function write(): void {
  for (let i = 0; i < 50; i++) writeSync(1, `line ${n++} ${'x'.repeat(80)}\n`);
  setImmediate(write);
}
write();
