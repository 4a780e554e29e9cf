// Allocates so many MiB and touches every page; `family` also starts a child that takes as much,
// `briefly` gives it back before it says so.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const mebibytes = Number(process.argv[2]);
let held = Buffer.alloc(mebibytes * 1024 * 1024, 1);
if (process.argv[3] === 'briefly') {
  held = Buffer.alloc(0);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
if (process.argv[3] === 'family') {
  const child = spawn(process.execPath, [import.meta.filename, String(mebibytes)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
}
console.log('ready');
setInterval(() => held.fill(2), 60_000);
