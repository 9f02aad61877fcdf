/** `stella drill repair [<drill>]` */
import type { CommandSpec } from '../../command.ts';
import { textView } from '../../view.ts';
import { APPROVER_OPTION, DIRECTORY_OPTION, openDrills } from './drill-options.ts';

export const drillRepair: CommandSpec = {
  path: ['drill', 'repair'],
  summary: 'Mend what a drill has broken outside of Stella, as a colleague would; resuming is left to you',
  kind: 'write',
  positionals: [{ name: 'drill', summary: 'its name or cause; without: the only one', isOptional: true }],
  options: [DIRECTORY_OPTION, APPROVER_OPTION],
  async run(context, input) {
    const { drillOf } = await import('../../drills/drills.ts');
    const { findDrill, placeOf } = await import('../../drills/place.ts');
    const { worldOf } = await import('../../drills/start-drill.ts');
    const deps = await openDrills(context, input);
    const state = findDrill(deps.drills, input.positionals[0]);
    const world = worldOf(deps, state, placeOf(deps.drills, state.name));
    const { repair } = drillOf(state.drill);
    if (!context.globals.isDryRun) await repair?.(world);
    const text = repair
      ? `Mended       ${state.name}, outside of Stella\nGo on        stella promotion diagnose ${state.promotionId ?? ''}`
      : `Nothing      is broken outside of Stella: the remedy of the diagnosis cures it`;
    context.show(textView({ name: state.name, data: state, text: () => text }));
    return undefined;
  },
};
