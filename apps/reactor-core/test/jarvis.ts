// `jarvis` as a real program, beside a Reactor Core of a test.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CLI = fileURLToPath(new URL('../../cli/bin/jarvis.js', import.meta.url));

/** What it prints. Rejects when it exits with another code than 0. */
export async function jarvis(where: { folder: string; url: string }, ...args: string[]): Promise<string> {
  const { folder, url } = where;
  const env = { PATH: process.env['PATH'], HOME: folder, JARVIS_HOME: folder, REACTOR_CORE_API_URL: url };
  return (await promisify(execFile)(process.execPath, [CLI, ...args], { cwd: folder, env })).stdout;
}
