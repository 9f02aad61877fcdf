/** `stella orch connectivity --target <environment>` or `--gate <gate>`: looks at them now, stage by stage. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import { type CommandContext, type CommandSpec, EXIT_CODES } from '../../command.ts';
import { textOption } from '../../input.ts';
import { tableView } from '../../view.ts';

type Report = Answer<'probeConnectivity'>['items'][number];
type Stage = Report['stages'][number];

interface Row {
  readonly report: Report;
  readonly stage: Stage;
  readonly isFirst: boolean;
}

export const orchConnectivity: CommandSpec = {
  path: ['orch', 'connectivity'],
  summary: 'Look at targets, gates and registries now; exit 1 when one failed',
  kind: 'read',
  options: [
    { flags: '--target <environment>', summary: 'its targets, its gates and the registries of its releases' },
    { flags: '--gate <gate>', summary: 'only this gate, in every environment that has it' },
    { flags: '--env <environment>', summary: 'with --gate: only there' },
  ],
  examples: ['stella orch connectivity --target prod', 'stella orch connectivity --gate change-ticket --env prod'],
  async run(context, { options }) {
    const gate = textOption(options, 'gate');
    const environment = textOption(options, 'target') ?? textOption(options, 'env');
    if (gate === undefined && environment === undefined) {
      const message = 'name an environment with --target, or a gate with --gate';
      throw new AppError('cli.usage', {
        details: { message },
        hint: 'stella orch connectivity --target <environment>',
      });
    }
    const { client } = await context.connect();
    const answer = await client.call('probeConnectivity', {
      body: { ...(environment !== undefined && { environment }), ...(gate !== undefined && { gate }) },
    });
    showReports(context, answer);
    return answer.items.every((report) => report.isOk) ? undefined : EXIT_CODES.error;
  },
};

function showReports({ show, globals }: CommandContext, answer: Answer<'probeConnectivity'>): void {
  // Programs get a line per subject, people one per stage.
  if (globals.output === 'jsonl' || globals.output === 'name') {
    const nameOf = ({ kind, environment, name }: Report): string => `${kind}/${environment}/${name}`;
    show(tableView<Report>({ rows: answer.items, columns: [], nameOf, whenEmpty: '' }));
    return;
  }
  const isWide = globals.output === 'wide';
  const rows = answer.items.flatMap((report) =>
    // What does not apply to a subject is for `-o wide`.
    report.stages
      .filter(({ outcome }) => isWide || outcome !== 'skipped')
      .map((stage, index): Row => ({ report, stage, isFirst: index === 0 })),
  );
  show(
    tableView<Row>({
      rows,
      columns: [
        { title: 'SUBJECT', value: ({ report, isFirst }) => (isFirst ? `${report.kind} ${report.name}` : '') },
        { title: 'ENV', value: ({ report }) => report.environment, isWide: true },
        { title: 'STAGE', value: ({ stage }) => stage.stage },
        { title: 'RESULT', value: ({ stage }) => stage.code ?? stage.outcome },
        { title: 'TIME', value: ({ stage }) => (stage.outcome === 'skipped' ? '-' : `${stage.durationMs}ms`) },
        { title: 'DETAIL', value: ({ stage }) => stage.detail },
      ],
      nameOf: ({ report }) => report.name,
      data: answer,
      whenEmpty: 'there is nothing to look at: no target, no gate that asks a service',
    }),
  );
}
