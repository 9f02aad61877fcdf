/** `stella release show <release>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { releaseView } from './release-view.ts';

export const releaseShow: CommandSpec = {
  path: ['release', 'show'],
  summary: 'One release with its digests',
  kind: 'read',
  positionals: [{ name: 'release', summary: 'its name, id, or unique start of the id' }],
  async run({ connect, show }, { positionals }) {
    const { client } = await connect();
    show(releaseView(await client.call('getRelease', { parameters: { release: positional(positionals, 0) } })));
    return undefined;
  },
};
