/** `stella orch artifacts list --env <environment>`: what really runs, found by looking at each target now. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { requiredText, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';

type Row = Answer<'listArtifacts'>['items'][number];

export const orchArtifactsList: CommandSpec = {
  path: ['orch', 'artifacts', 'list'],
  summary: 'What really runs in an environment, found by looking at its targets now',
  kind: 'read',
  options: [
    { flags: '--env <environment>', summary: 'the environment', isRequired: true },
    { flags: '--filter <digest>', summary: 'only rows whose digest contains this' },
  ],
  async run({ connect, show }, { options }) {
    const { client } = await connect();
    const parameters = { environment: requiredText(options, 'env') };
    const filter = textOption(options, 'filter');
    const { items } = await client.call('listArtifacts', { parameters, query: filter === undefined ? {} : { filter } });
    show(
      tableView<Row>({
        rows: items,
        columns: [
          { title: 'TARGET', value: (row) => row.target },
          { title: 'COMPONENT', value: (row) => row.component },
          { title: 'RELEASE', value: (row) => row.release ?? '-' },
          { title: 'HEALTH', value: healthOf },
          { title: 'DIGEST', value: (row) => row.observed ?? 'nothing whole' },
          { title: 'PROMISED', value: (row) => row.promised ?? '-', isWide: true },
          { title: 'MESSAGE', value: (row) => row.message, isWide: true },
        ],
        nameOf: (row) => row.observed ?? row.target,
        whenEmpty: 'nothing matches',
      }),
    );
    return undefined;
  },
};

function healthOf({ isHealthy, observed, promised }: Row): string {
  // Nothing was ever brought there: it is not ill.
  if (observed === null && promised === null) return '-';
  if (observed !== promised) return 'OTHER THAN PROMISED';
  return isHealthy ? 'healthy' : 'UNHEALTHY';
}
