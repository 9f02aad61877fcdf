/** `stella drill keep <directory>`: the other side of a drill. `drill start` runs it in the background. */
import { basename, dirname, resolve } from 'node:path';
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { ADDRESS_OPTION } from './drill-options.ts';

export const drillKeep: CommandSpec = {
  path: ['drill', 'keep'],
  summary: 'Be the service and the registry of a drill, until its directory is gone; drill start runs it',
  kind: 'local',
  positionals: [{ name: 'directory', summary: 'of the drill' }],
  options: [ADDRESS_OPTION],
  async run({ terminal }, { positionals, options }) {
    const { findDrill, placeOf } = await import('../../drills/place.ts');
    const { holdPeer } = await import('../../drills/peer.ts');
    const directory = resolve(positional(positionals, 0));
    const address = textOption(options, 'address') ?? '127.0.0.1';
    const { name } = findDrill(dirname(directory), basename(directory));
    await holdPeer(placeOf(dirname(directory), name), address, terminal.interrupted);
    return undefined;
  },
};
