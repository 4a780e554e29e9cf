// Who listens on a TCP port of this machine, so that an error can name the program that has to go.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { mapLimited } from './processes.ts';
import { thisSystem, type System } from './system.ts';

export interface Listener {
  readonly pid: number;
  readonly command: string;
}

const commandCharactersMax = 200;

/** The process that listens on `port`; null when nobody does or it may not be seen (another user's). */
export async function findListener(port: number, system: System = thisSystem): Promise<Listener | null> {
  if (system.platform === 'linux') return await findOnLinux(port, system);
  if (system.platform === 'darwin') return await findOnDarwin(port, system);
  return null;
}

async function findOnLinux(port: number, system: System): Promise<Listener | null> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`${system.root}/proc/net/${name}`, 'latin1').catch(() => '')),
  );
  const sockets = new Set(
    tables.flatMap((table) => listeningInodes(table, port)).map((n) => `socket:[${n}]`),
  );
  if (sockets.size === 0) return null;
  const pids = (await readdir(`${system.root}/proc`)).filter((name) => /^\d+$/.test(name));
  const holders = await mapLimited(pids, async (pid) =>
    (await holdsAny(pid, sockets, system)) ? pid : null,
  );
  // A forked child may hold its parent's socket too: the oldest has it from the start.
  const pid = holders.filter((found) => found !== null).sort((a, b) => Number(a) - Number(b))[0];
  if (pid === undefined) return null;
  const commandLine = await readFile(`${system.root}/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const command = commandLine.replaceAll('\0', ' ').trim().slice(0, commandCharactersMax);
  return { pid: Number(pid), command };
}

/** Lines of /proc/net/tcp: `sl local_address rem_address st ... inode`, hexadecimal; state 0A is LISTEN. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && fields[1]?.endsWith(suffix) === true)
    .map((fields) => fields[9] ?? '');
}

async function holdsAny(pid: string, sockets: ReadonlySet<string>, system: System): Promise<boolean> {
  const folder = `${system.root}/proc/${pid}/fd`;
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${descriptor}`).catch(() => '');
    if (sockets.has(target)) return true;
  }
  return false;
}

async function findOnDarwin(port: number, system: System): Promise<Listener | null> {
  const lsof = ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fp'];
  const pid = /^p(\d+)$/m.exec(await system.runCommand('lsof', lsof).catch(() => ''))?.[1];
  if (pid === undefined) return null;
  const command = await system.runCommand('ps', ['-o', 'command=', '-p', pid]).catch(() => '');
  return { pid: Number(pid), command: command.trim().slice(0, commandCharactersMax) };
}
