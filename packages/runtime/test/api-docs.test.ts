// The page that shows a service's calls: it is there, takes nothing from elsewhere, and gives out only its own files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startShell } from './shell.ts';

test('GET /docs is a page whose files are all served here', async (t) => {
  const { call } = await startShell(t, () => undefined);
  const page = await call({ path: '/docs' });
  assert.equal(page.status, 200);
  assert.match(String(page.headers['content-security-policy']), /script-src 'self'/);
  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
  assert.ok(files.length >= 4, page.body);
  for (const path of files) {
    assert.match(path, /^\/docs\//, 'nothing comes from elsewhere');
    const file = await call({ path });
    assert.equal(file.status, 200, path);
    assert.ok(file.body.length > 50, path);
  }
});

test('no other file is given out', async (t) => {
  const { call } = await startShell(t, () => undefined);
  for (const path of ['/docs/index.html', '/docs/..%2findex.js', '/docs/__proto__', '/docs/constructor'])
    assert.equal((await call({ path })).status, 404, path);
});

test('with a token the page wants it too', async (t) => {
  const { call } = await startShell(t, () => undefined, { token: 'a-token-of-some-length' });
  assert.equal((await call({ path: '/docs' })).status, 401);
});
