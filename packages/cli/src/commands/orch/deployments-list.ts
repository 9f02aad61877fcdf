/** `stella orch deployments list --env <environment>`: what was deployed there, newest first. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { countOption, requiredText, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { ageOf, shortDuration } from '../show-age.ts';

type Row = Answer<'listDeployments'>['items'][number];

const STATES = ['success', 'failed', 'running'] as const;

export const orchDeploymentsList: CommandSpec = {
  path: ['orch', 'deployments', 'list'],
  summary: 'What was deployed in an environment, newest first',
  kind: 'read',
  options: [
    { flags: '--env <environment>', summary: 'the environment', isRequired: true },
    { flags: '--last <count>', summary: 'how many (10)' },
    { flags: '--status <status>', summary: `only these: ${STATES.join(', ')}` },
  ],
  examples: ['stella orch deployments list --env prod --last 10 --status success'],
  async run({ connect, show }, { options }) {
    const limit = countOption(options, 'last', { min: 1, max: 200 });
    const status = stateOption(textOption(options, 'status'));
    const { client } = await connect();
    const parameters = { environment: requiredText(options, 'env') };
    const query = { ...(limit === undefined ? {} : { limit }), ...(status === undefined ? {} : { status }) };
    const answer = await client.call('listDeployments', { parameters, query });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'PROMOTION', value: (row) => row.promotionId },
          { title: 'KIND', value: (row) => `${row.kind}${row.isForced ? ' (forced)' : ''}` },
          { title: 'RELEASE', value: (row) => row.release.name },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'AGE', value: (row, nowMs) => ageOf(nowMs, row.startedAt) },
          { title: 'OVER', value: (row) => row.over ?? '-', isWide: true },
          { title: 'TOOK', value: tookOf, isWide: true },
          { title: 'BY', value: (row) => row.requestedBy.name, isWide: true },
          { title: 'ENDED', value: (row) => row.ending?.message ?? '', isWide: true },
        ],
        nameOf: (row) => row.promotionId,
        data: answer,
        whenEmpty: 'nothing was deployed there that matches',
      }),
    );
    return undefined;
  },
};

function tookOf({ startedAt, endedAt }: Row): string {
  return endedAt === null ? 'runs' : shortDuration(Date.parse(endedAt) - Date.parse(startedAt));
}

function stateOption(text: string | undefined): (typeof STATES)[number] | undefined {
  if (text === undefined) return undefined;
  const state = STATES.find((one) => one === text);
  if (state !== undefined) return state;
  throw new AppError('cli.usage', { details: { message: `--status must be one of ${STATES.join(', ')}` } });
}
