/** `stella orch config unset <key>` */
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { settingView } from './setting-view.ts';

export const orchConfigUnset: CommandSpec = {
  path: ['orch', 'config', 'unset'],
  summary: 'Take a change back: what the server was started with counts again',
  kind: 'write',
  positionals: [{ name: 'key', summary: 'as orch config list shows it' }],
  options: [{ flags: '--reason <text>', summary: 'recorded with it' }],
  async run({ connect, show, globals }, { positionals, options }) {
    const { client, idempotencyKey } = await connect();
    const body = { value: null, reason: textOption(options, 'reason') ?? '', dryRun: globals.isDryRun };
    const parameters = { setting: positional(positionals, 0) };
    show(settingView(await client.call('changeSetting', { parameters, body, idempotencyKey })));
    return undefined;
  },
};
