/** `stella orch config set <key> <value>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { settingView } from './setting-view.ts';

export const orchConfigSet: CommandSpec = {
  path: ['orch', 'config', 'set'],
  summary: 'Change a setting: effective at once, in every environment',
  kind: 'write',
  positionals: [
    { name: 'key', summary: 'as orch config list shows it' },
    { name: 'value', summary: '45s, 5m, 5000, optimistic' },
  ],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  examples: [
    'stella orch config set locks.timeout 45s --reason "slow targets"',
    'stella orch config set locks.mode optimistic',
  ],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const body = {
      value: positional(positionals, 1),
      reason: textOption(options, 'reason') ?? '',
      dryRun: globals.isDryRun,
    };
    const parameters = { setting: positional(positionals, 0) };
    show(settingView(await client.call('changeSetting', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
