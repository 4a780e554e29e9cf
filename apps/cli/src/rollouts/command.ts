// `jarvis rollouts list | show | pause | resume | promote | abort`, asked of Reactor Core.
import {
  type Deployment,
  deploymentSchema,
  deploymentsSchema,
  type RolloutAction,
  rolloutReportSchema,
} from '@jarvis/contracts';
import type { ServiceClient } from '@jarvis/runtime';
import { CommandError } from '../exit.ts';
import { withReactor } from '../services.ts';
import { table } from '../style.ts';
import type { World } from '../world.ts';
import { reportText } from './report-text.ts';

const pathOf = (id: string): string => `/api/deployments/${encodeURIComponent(id)}`;

export async function listRollouts(world: World, options: { json?: true }): Promise<void> {
  const list = await withReactor(world, (client) => client.get('/api/deployments', deploymentsSchema));
  if (options.json === true) world.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
  else world.stdout.write(`${rowsOf(list.deployments)}\n`);
}

function rowsOf(deployments: readonly Deployment[]): string {
  if (deployments.length === 0) return 'Nothing was rolled out yet.';
  return table(
    deployments.map((d) => [
      d.deployment_id,
      d.model_type,
      d.model_version,
      d.strategy,
      d.state.replaceAll('_', ' '),
      `${d.current_percentage} %`,
      d.reason,
    ]),
  );
}

export async function showRollout(
  world: World,
  id: string | undefined,
  options: { json?: true },
): Promise<void> {
  const report = await withReactor(world, async (client) =>
    client.get(`${pathOf(id ?? (await newest(client)))}/report`, rolloutReportSchema),
  );
  world.stdout.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
}

export async function actOnRollout(
  world: World,
  action: RolloutAction,
  id: string | undefined,
): Promise<void> {
  const after = await withReactor(world, async (client) =>
    client.post(`${pathOf(id ?? (await newest(client)))}/${action}`, {}, deploymentSchema, { once: true }),
  );
  world.stdout.write(
    `${after.model_type} ${after.model_version}: ${after.state.replaceAll('_', ' ')}, ${after.reason}\n`,
  );
}

async function newest(client: ServiceClient): Promise<string> {
  const { deployments } = await client.get('/api/deployments', deploymentsSchema);
  const [first] = deployments;
  if (first === undefined)
    throw new CommandError('Nothing was rolled out yet: `jarvis train <kind>` makes a version.');
  return first.deployment_id;
}
