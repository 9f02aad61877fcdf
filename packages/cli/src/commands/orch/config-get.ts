/** `stella orch config get <key>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { settingView } from './setting-view.ts';

export const orchConfigGet: CommandSpec = {
  path: ['orch', 'config', 'get'],
  summary: 'One setting',
  kind: 'read',
  positionals: [{ name: 'key', summary: 'as orch config list shows it' }],
  async run({ connect, show }, { positionals }) {
    const { client } = await connect();
    show(settingView(await client.call('getSetting', { parameters: { setting: positional(positionals, 0) } })));
    return undefined;
  },
};
