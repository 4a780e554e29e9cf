// Whether somebody is at the machine: how many processes want to run, and whether it runs on its battery.
//
//   Linux   /sys/class/power_supply/*: a battery of the system that discharges, and no mains that is online
//   macOS   `pmset -g batt`; parsed from recorded output
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { thisSystem, type System } from './system.ts';

export interface MachineUse {
  /** Processes that want to run, for each processor, over the last minute; null where the system does not tell. */
  readonly loadPerProcessor: number | null;
  readonly onBattery: boolean;
}

export async function readMachineUse(system: System = thisSystem): Promise<MachineUse> {
  return { loadPerProcessor: await readLoad(system), onBattery: await readOnBattery(system) };
}

async function readLoad(system: System): Promise<number | null> {
  if (system.platform === 'win32') return null;
  if (system.platform !== 'linux') return (loadavg()[0] ?? 0) / availableParallelism();
  const text = await readFile(`${system.root}/proc/loadavg`, 'utf8').catch(() => '');
  const load = Number.parseFloat(text);
  return Number.isNaN(load) ? null : load / availableParallelism();
}

async function readOnBattery(system: System): Promise<boolean> {
  if (system.platform === 'darwin')
    return /'Battery Power'/.test(await system.runCommand('pmset', ['-g', 'batt']).catch(() => ''));
  if (system.platform !== 'linux') return false;
  const folder = `${system.root}/sys/class/power_supply`;
  const supplies = await readdir(folder).catch(() => []);
  const read = (supply: string, name: string): Promise<string> =>
    readFile(join(folder, supply, name), 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
  let discharges = false;
  for (const supply of supplies) {
    const type = await read(supply, 'type');
    if (type !== 'Battery' && (await read(supply, 'online')) === '1') return false;
    // A mouse and a headset have batteries too: theirs say `Device`.
    const isOurs = type === 'Battery' && (await read(supply, 'scope')) !== 'Device';
    if (isOurs && (await read(supply, 'status')) === 'Discharging') discharges = true;
  }
  return discharges;
}
