/** `stella drill stop [<drill>]` */
import type { CommandSpec } from '../../command.ts';
import { isSet } from '../../input.ts';
import { tableView } from '../../view.ts';
import { DIRECTORY_OPTION, openDrills } from './drill-options.ts';

export const drillStop: CommandSpec = {
  path: ['drill', 'stop'],
  summary: 'End a drill, and take away all that it has made',
  kind: 'write',
  positionals: [{ name: 'drill', summary: 'its name or cause; without: the only one', isOptional: true }],
  options: [DIRECTORY_OPTION, { flags: '--all', summary: 'every drill of this machine' }],
  async run(context, input) {
    const { findDrill, listDrills } = await import('../../drills/place.ts');
    const { stopDrill } = await import('../../drills/stop-drill.ts');
    const deps = await openDrills(context, input);
    const states = isSet(input.options, 'all')
      ? listDrills(deps.drills)
      : [findDrill(deps.drills, input.positionals[0])];
    if (!context.globals.isDryRun) for (const state of states) await stopDrill(deps, state);
    context.show(
      tableView<(typeof states)[number]>({
        rows: states,
        columns: [
          { title: 'DRILL', value: (row) => row.name },
          { title: 'CHANGE', value: () => (context.globals.isDryRun ? 'would be stopped' : 'stopped') },
        ],
        nameOf: (row) => row.name,
        whenEmpty: 'no drill runs',
      }),
    );
    return undefined;
  },
};
