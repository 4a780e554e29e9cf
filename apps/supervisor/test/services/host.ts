// Hosts a supervisor as the CLI does: in the foreground, stopped by signals. Says `ready` when all is up.
import { systemClock } from '@jarvis/runtime';
import { startSupervisor, runForeground } from '../../src/index.ts';
import { supervisorOptions } from '../fixture.ts';

const home = String(process.env['JARVIS_HOME']);
const supervisor = await startSupervisor(supervisorOptions(home, process.env));
const code = runForeground(supervisor, { clock: systemClock });
supervisor.ready.then(
  (summary) => console.log(`ready ${summary.text}`),
  (error: unknown) => console.log(`failed ${String(error)}`),
);
process.exitCode = await code;
console.log(`exit ${process.exitCode}`);
