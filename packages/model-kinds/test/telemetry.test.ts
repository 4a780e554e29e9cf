// ONNX Runtime is not to tell anybody what runs here; its telemetry would show by the files that it keeps.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const OPEN_A_SESSION = `
  import { writeOnnx } from '@jarvis/model-kinds';
  import { openSession } from '../src/session.ts';
  const bytes = writeOnnx({
    name: 'sample', opset: 18, constants: [],
    inputs: [{ name: 'x', type: 'float32', dims: [1] }],
    outputs: [{ name: 'y', type: 'float32', dims: [1] }],
    nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
  });
  const session = await openSession('sample', bytes);
  const { y } = await session.run({ x: session.float32(Float32Array.of(1), [1]) });
  console.log(y.data[0]);
  await session.dispose();
`;

test('a session leaves nothing in HOME and TMPDIR', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-telemetry-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  // Without CI in its environment, which switches it off, too.
  const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder };
  const args = ['--input-type=module', '--eval', OPEN_A_SESSION];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: import.meta.dirname });
  assert.equal(stdout, '-1\n');
  assert.deepEqual(await readdir(folder), []);
});
