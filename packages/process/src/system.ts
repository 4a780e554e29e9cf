// Where figures about processes and the machine come from: /proc below `root` on Linux, commands on macOS.
// Tests give a folder of recorded files as `root`, or recorded answers as `runCommand`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface System {
  readonly platform: NodeJS.Platform;
  /** Prefix of every path that is read; '' is this machine. */
  readonly root: string;
  /** The standard output of a command; rejects when it fails. */
  runCommand(command: string, args: readonly string[]): Promise<string>;
}

/** `ps` and its kin answer within milliseconds; one that hangs must not hang its caller. */
const commandTimeoutMs = 5000;
const commandOutputBytesMax = 16 * 1024 * 1024;
const execute = promisify(execFile);

export const thisSystem: System = {
  platform: process.platform,
  root: '',
  async runCommand(command, args) {
    const { stdout } = await execute(command, [...args], {
      timeout: commandTimeoutMs,
      maxBuffer: commandOutputBytesMax,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    });
    return stdout;
  },
};
