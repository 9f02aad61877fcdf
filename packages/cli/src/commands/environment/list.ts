/** `stella environment list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';
import { releaseWords } from './release-words.ts';

type Row = Answer<'listEnvironments'>['items'][number];

export const environmentList: CommandSpec = {
  path: ['environment', 'list'],
  summary: 'Environments, and what each of them runs',
  kind: 'read',
  async run({ connect, show }) {
    const { client } = await connect();
    const { items } = await client.call('listEnvironments');
    show(
      tableView<Row>({
        rows: items,
        columns: [
          { title: 'NAME', value: (row) => row.name },
          { title: 'FROM', value: (row) => row.promotesFrom.join(',') || '-' },
          { title: 'RELEASE', value: releaseWords },
          { title: 'STATE', value: stateOf },
          { title: 'RELEASED', value: (row, nowMs) => relativeTo(nowMs, row.releasedAt) },
          { title: 'DEBTS', value: (row) => (row.debts.length === 0 ? '-' : `${row.debts.length} open`) },
          { title: 'GATES', value: (row) => row.gates.map((gate) => gate.name).join(',') || '-', isWide: true },
          { title: 'TARGETS', value: (row) => row.targets.map(targetWords).join(', '), isWide: true },
          { title: 'VERSION', value: (row) => String(row.version), isWide: true },
        ],
        nameOf: (row) => row.name,
        whenEmpty: 'no environments; apply some: stella apply -f <file>',
      }),
    );
    return undefined;
  },
};

/** `web (files)`, `worker (command on deploy@10.0.0.5:22)` */
function targetWords({ name, kind, host }: Row['targets'][number]): string {
  return `${name} (${kind}${host === null ? '' : ` on ${host}`})`;
}

function stateOf({ state, stop, freeze }: Row): string {
  return [state, ...(stop === null ? [] : ['STOPPED']), ...(freeze === null ? [] : ['frozen'])].join(', ');
}
