// `jarvis rollouts`: its sub-commands, what they take, and their help.
import { ROLLOUT_ACTIONS, type RolloutAction } from '@jarvis/contracts';
import type { Command } from 'commander';
import { examples } from '../examples.ts';
import type { World } from '../world.ts';
import { actOnRollout, listRollouts, showRollout } from './command.ts';

const SAYS = {
  pause: 'stay at this share until it is resumed; a broken guard still rolls it back',
  resume: 'go on from where it was paused',
  promote: 'give it to everybody now',
  abort: 'end it: everybody gets the stable version',
} as const satisfies Record<RolloutAction, string>;

export function addRollouts(program: Command, world: World): void {
  const rollouts = program
    .command('rollouts')
    .description('how versions are rolled out: list, show, pause, resume, promote, abort')
    .addHelpText('after', examples('jarvis rollouts list', 'jarvis rollouts show', 'jarvis rollouts pause'))
    .addHelpText('after', '\nWithout an id the newest one is meant.');
  rollouts
    .command('list')
    .description('the newest first, with where each is and why')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis rollouts list'))
    .action((options: { json?: true }) => listRollouts(world, options));
  rollouts
    .command('show')
    .description('the report of one, as Markdown: what was compared, the evidence over time, why it ended')
    .argument('[id]', 'of the rollout; else the newest one')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis rollouts show', 'jarvis rollouts show > report.md'))
    .action((id: string | undefined, options: { json?: true }) => showRollout(world, id, options));
  for (const action of ROLLOUT_ACTIONS)
    rollouts
      .command(action)
      .description(SAYS[action])
      .argument('[id]', 'of the rollout; else the newest one')
      .addHelpText('after', examples(`jarvis rollouts ${action}`))
      .action((id: string | undefined) => actOnRollout(world, action, id));
}
