// `jarvis down`: stops what runs on this home, whoever started it.
import { readConfigOrExit } from '@jarvis/runtime';
import { readSupervisorRecord, SERVICE_TITLES, stopHome } from '@jarvis/supervisor';
import { CommandError } from './exit.ts';
import type { World } from './world.ts';

export async function downCommand(world: World): Promise<void> {
  const { env, home } = readConfigOrExit(world);
  // A trainer writes a checkpoint first: that may take a while.
  if ((await readSupervisorRecord(home)) !== null) world.stdout.write(`Stopping what runs on ${home} …\n`);
  const { supervisor, services, left } = await stopHome(home, {
    environment: env,
    fetch,
    clock: world.clock,
  });
  if (supervisor === 'stopped') world.stdout.write('The supervisor and its services are stopped.\n');
  for (const { service } of services) world.stdout.write(`${SERVICE_TITLES[service]} is stopped.\n`);
  if (supervisor === 'none' && services.length === 0) world.stdout.write(`Nothing runs on ${home}.\n`);
  if (left.length > 0) throw new CommandError(`Could not be stopped:\n  ${left.join('\n  ')}`);
}
