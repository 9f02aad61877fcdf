/** `stella drill start <cause>` */
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { textView } from '../../view.ts';
import { ADDRESS_OPTION, APPROVER_OPTION, DIRECTORY_OPTION, openDrills } from './drill-options.ts';

export const drillStart: CommandSpec = {
  path: ['drill', 'start'],
  summary: 'Break something, in a sandbox environment of its own, so that the runbook can be practised',
  kind: 'write',
  positionals: [{ name: 'cause', summary: 'as stella drill list names it' }],
  options: [DIRECTORY_OPTION, ADDRESS_OPTION, APPROVER_OPTION],
  examples: ['stella drill start gate.slow'],
  async run(context, input) {
    const { drillOf } = await import('../../drills/drills.ts');
    const { startDrill } = await import('../../drills/start-drill.ts');
    const { variablesOfOwn } = await import('../../drills/own/own-orchestrator.ts');
    const drill = drillOf(positional(input.positionals, 0));
    const deps = await openDrills(context, input);
    if (context.globals.isDryRun) {
      const text = `Would drill  ${drill.cause}, below ${deps.drills}`;
      context.show(textView({ name: drill.cause, data: { cause: drill.cause, dryRun: true }, text: () => text }));
      return undefined;
    }
    const { state, promotionId } = await startDrill(deps, drill);
    const text = [
      `Drill        ${state.name}`,
      `Promotion    ${promotionId}`,
      ...(state.own === null ? [] : [`Work there   ${exportLine(variablesOfOwn(state.own))}`]),
      `Find out     stella promotion diagnose ${promotionId}`,
      `Mend it      stella drill repair ${state.name}   (what is outside of Stella)`,
      `End it       stella drill stop ${state.name}`,
    ].join('\n');
    context.show(textView({ name: state.name, data: state, text: () => text }));
    return undefined;
  },
};

/** Of a drill with an orchestrator of its own: what the commands of the runbook, as they are printed, then mean. */
function exportLine(variables: Readonly<Record<string, string>>): string {
  return `export ${Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;
}
