/** `stella orch credentials verify --target <environment>`: tries them where they are used; never shows one. */
import type { Answer } from '@stella/contract/client';
import { type CommandSpec, EXIT_CODES } from '../../command.ts';
import { requiredText } from '../../input.ts';
import { tableView } from '../../view.ts';

type Row = Answer<'verifyCredentials'>['items'][number];

export const orchCredentialsVerify: CommandSpec = {
  path: ['orch', 'credentials', 'verify'],
  summary: 'Try the credentials of an environment; exit 1 when one is refused',
  kind: 'read',
  options: [{ flags: '--target <environment>', summary: 'whose targets, gates and registries', isRequired: true }],
  examples: ['stella orch credentials verify --target prod'],
  async run({ connect, show }, { options }) {
    const { client } = await connect();
    const parameters = { environment: requiredText(options, 'target') };
    const answer = await client.call('verifyCredentials', { parameters, body: {} });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'SUBJECT', value: (row) => `${row.kind} ${row.name}` },
          { title: 'REFERENCE', value: (row) => row.reference ?? 'none' },
          { title: 'RESOLVES', value: (row) => wordOf(row.isResolved) },
          { title: 'ACCEPTED', value: (row) => wordOf(row.isAccepted) },
          { title: 'DETAIL', value: (row) => row.detail },
        ],
        nameOf: (row) => `${row.kind}/${row.name}`,
        data: answer,
        whenEmpty: 'the environment has nothing that takes a credential',
      }),
    );
    const isRefused = answer.items.some((row) => row.isResolved === false || row.isAccepted === false);
    return isRefused ? EXIT_CODES.error : undefined;
  },
};

function wordOf(value: boolean | null): string {
  return value === null ? '-' : value ? 'yes' : 'NO';
}
