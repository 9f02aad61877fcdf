/** `stella orch fence raise`: the cure for an environment that is stopped because a target is ahead of the database. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { textView } from '../../view.ts';
import { SEAL_PATIENCE_MS, sealLines } from './seal-lines.ts';

type Raised = Answer<'raiseFence'>;

export const orchFenceRaise: CommandSpec = {
  path: ['orch', 'fence', 'raise'],
  summary: 'Raise the fence of an environment above what its targets hold, after the database lost something',
  kind: 'write',
  options: [
    { flags: '--env <environment>', summary: 'the environment; it must hold no lock' },
    { flags: '--reason <text>', summary: 'recorded with it' },
  ],
  examples: ['stella orch fence raise --env prod'],
  async run({ connect, show, globals }, { options }) {
    const environment = textOption(options, 'env');
    if (environment === undefined) {
      throw new AppError('cli.usage', { details: { message: 'name the environment with --env' } });
    }
    // All targets are asked before, in the same way.
    const { client, idempotencyKey } = await connect({ patienceMs: 2 * SEAL_PATIENCE_MS });
    const body = { reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const raised = await client.call('raiseFence', { parameters: { environment }, body, idempotencyKey });
    show(textView({ name: raised.environment, data: raised, text: () => describe(raised) }));
    return undefined;
  },
};

function describe(answer: Raised): string {
  const { environment, fence, held, wasStopped, dryRun } = answer;
  const state = wasStopped ? 'goes on; it was stopped' : 'was not stopped';
  return [
    `Fence        of ${environment} ${dryRun ? 'would be raised' : 'raised'} to ${fence}`,
    `Held         ${held === null ? 'nothing, by no target' : `${held}, the highest of its targets`}`,
    `Environment  ${state}; what it runs is ${dryRun ? 'then ' : ''}unknown until the next promotion`,
    ...(dryRun ? [] : sealLines(answer, 13)),
    `Next         stella orch artifacts list --env ${environment}`,
  ].join('\n');
}
