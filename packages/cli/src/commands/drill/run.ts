/** `stella drill run`: plays drills through by itself, remedies included. */
import { AppError, parseDuration } from '@stella/domain/client';
import { type CommandSpec, EXIT_CODES } from '../../command.ts';
import type { DrillResult } from '../../drills/run-drill.ts';
import { countOption, isSet, textsOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { ADDRESS_OPTION, APPROVER_OPTION, DIRECTORY_OPTION, environmentOf, openDrills } from './drill-options.ts';

const PARALLEL_STANDARD = 4;
const PARALLEL_MAX = 32;

export const drillRun: CommandSpec = {
  path: ['drill', 'run'],
  summary: 'Play drills through: the cause has to be named first, and its first remedy has to cure',
  kind: 'write',
  options: [
    { flags: '--all', summary: 'every drill' },
    { flags: '--cause <cause...>', summary: 'only these' },
    { flags: '--except <cause...>', summary: 'not these' },
    { flags: '--parallel <count>', summary: `so many at a time (${PARALLEL_STANDARD})` },
    DIRECTORY_OPTION,
    ADDRESS_OPTION,
    APPROVER_OPTION,
  ],
  examples: ['stella drill run --cause gate.slow', 'stella drill run --all'],
  async run(context, input) {
    const { DRILLS, drillOf } = await import('../../drills/drills.ts');
    const { runDrills } = await import('../../drills/run-drill.ts');
    const { options } = input;
    const causes = textsOption(options, 'cause');
    if (causes.length === 0 && !isSet(options, 'all')) {
      throw new AppError('cli.usage', { details: { message: 'say which: --all, or --cause <cause>' } });
    }
    const except = new Set(textsOption(options, 'except').map(drillOf));
    const wanted = (isSet(options, 'all') ? DRILLS : causes.map(drillOf)).filter((drill) => !except.has(drill));
    const deps = await openDrills(context, input);
    const { value } = await deps.client.call('getSetting', { parameters: { setting: 'stuck.after' } });
    const play = { ...deps, env: environmentOf(context), stuckAfterMs: parseDuration(String(value)) };
    const parallelCount = countOption(options, 'parallel', { min: 1, max: PARALLEL_MAX }) ?? PARALLEL_STANDARD;
    const tell = (result: DrillResult): void => {
      if (!context.globals.isQuiet) context.terminal.err(`${result.drill}: ${wordsOf(result)}\n`);
    };
    const results = context.globals.isDryRun ? [] : await runDrills(play, wanted, { parallelCount, tell });
    context.show(
      tableView<DrillResult>({
        rows: results,
        columns: [
          { title: 'DRILL', value: (row) => row.drill },
          { title: 'NAMED FIRST', value: (row) => answerOf(row, row.isNamed) },
          { title: 'CURED', value: (row) => answerOf(row, row.isCured) },
          { title: 'SECONDS', value: (row) => String(row.seconds) },
          { title: 'FIRST REMEDY', value: (row) => row.remedy || '-' },
          { title: 'MESSAGE', value: (row) => row.message || '-', isWide: true },
        ],
        nameOf: (row) => row.drill,
        whenEmpty: 'nothing was played',
      }),
    );
    const isWell = results.every((row) => !row.isPlayed || row.isCured);
    return isWell ? undefined : EXIT_CODES.checkFailed;
  },
};

function answerOf({ isPlayed }: DrillResult, isRight: boolean): string {
  if (!isPlayed) return 'not played';
  return isRight ? 'yes' : 'NO';
}

function wordsOf({ isPlayed, isNamed, isCured, message }: DrillResult): string {
  if (!isPlayed) return `not played: ${message}`;
  const words = `${isNamed ? 'named' : 'not named'}, ${isCured ? 'cured' : 'not cured'}`;
  return message === '' ? words : `${words}: ${message}`;
}
