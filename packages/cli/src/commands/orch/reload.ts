/** `stella orch reload`: there is nothing to reload, and this says why. */
import type { CommandSpec } from '../../command.ts';

export const orchReload: CommandSpec = {
  path: ['orch', 'reload'],
  summary: 'Does nothing, and says why: all that may change is read live',
  kind: 'local',
  run({ terminal }) {
    terminal.out(
      [
        'nothing to reload: settings and definitions are read from the database each time they count',
        'change a setting      stella orch config set <key> <value>, effective at once',
        'change environments   stella apply -f <file>, for promotions that are made from then on',
        'certificates          are read again by the server when their files change',
        'STELLA_* variables    are read at the start of the server only',
        '',
      ].join('\n'),
    );
    return Promise.resolve(undefined);
  },
};
