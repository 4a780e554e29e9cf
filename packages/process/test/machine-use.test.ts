// Whether somebody is at the machine: on recorded machines, and on this one.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { readMachineUse, thisSystem } from '../src/index.ts';
import { recordedMachine } from './machine.ts';

const SUPPLY = 'sys/class/power_supply';
const laptop = (battery: string, mains: string): Record<string, string> => ({
  'proc/loadavg': '3.00 1.50 0.75 2/345 6789\n',
  [`${SUPPLY}/BAT0/type`]: 'Battery\n',
  [`${SUPPLY}/BAT0/scope`]: 'System\n',
  [`${SUPPLY}/BAT0/status`]: `${battery}\n`,
  [`${SUPPLY}/AC/type`]: 'Mains\n',
  [`${SUPPLY}/AC/online`]: `${mains}\n`,
});

test('the load of the last minute is told for each processor', async (t) => {
  const use = await readMachineUse(await recordedMachine(t, laptop('Full', '1')));
  assert.equal(use.loadPerProcessor, 3 / availableParallelism());
});

test('a laptop runs on its battery while that discharges and no mains is online', async (t) => {
  const onBattery = async (battery: string, mains: string): Promise<boolean> =>
    (await readMachineUse(await recordedMachine(t, laptop(battery, mains)))).onBattery;
  assert.equal(await onBattery('Discharging', '0'), true);
  assert.equal(await onBattery('Charging', '1'), false);
  assert.equal(await onBattery('Discharging', '1'), false, 'a weak charger');
  assert.equal(await onBattery('Full', '0'), false);
});

test("the battery of a mouse is not the machine's", async (t) => {
  const files = {
    [`${SUPPLY}/hidpp_battery_0/type`]: 'Battery\n',
    [`${SUPPLY}/hidpp_battery_0/scope`]: 'Device\n',
    [`${SUPPLY}/hidpp_battery_0/status`]: 'Discharging\n',
  };
  assert.equal((await readMachineUse(await recordedMachine(t, files))).onBattery, false);
});

test('a machine that tells nothing has no load and no battery', async (t) => {
  assert.deepEqual(await readMachineUse(await recordedMachine(t, {})), {
    loadPerProcessor: null,
    onBattery: false,
  });
});

test('a Mac on its battery, as `pmset -g batt` tells it', async (t) => {
  const mac = async (told: string): Promise<boolean> => {
    const system = { ...(await recordedMachine(t, {})), platform: 'darwin' as const };
    return (await readMachineUse({ ...system, runCommand: () => Promise.resolve(told) })).onBattery;
  };
  assert.equal(
    await mac("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t80%; discharging\n"),
    true,
  );
  assert.equal(await mac("Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t80%; charging\n"), false);
});

test('this machine has a load', async () => {
  const { loadPerProcessor } = await readMachineUse(thisSystem);
  assert.ok(loadPerProcessor !== null && loadPerProcessor >= 0);
});
