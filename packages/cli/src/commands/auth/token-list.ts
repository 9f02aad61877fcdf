/** `stella auth token list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { countOption, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { noteNextPage, PAGE_OPTIONS } from '../pages.ts';
import { relativeTo } from '../show-age.ts';

type Row = Answer<'listTokens'>['items'][number];

export const authTokenList: CommandSpec = {
  path: ['auth', 'token', 'list'],
  summary: 'Tokens, newest first; never their secrets',
  kind: 'read',
  options: PAGE_OPTIONS,
  async run(context, { options }) {
    const { client } = await context.connect();
    const query = { limit: countOption(options, 'limit', { min: 1, max: 500 }), cursor: textOption(options, 'cursor') };
    const page = await client.call('listTokens', { query });
    context.show(
      tableView<Row>({
        rows: page.items,
        columns: [
          { title: 'ID', value: (row) => row.id },
          { title: 'NAME', value: (row) => row.name },
          { title: 'OWNER', value: (row) => row.owner },
          { title: 'STATE', value: stateOf },
          { title: 'CREATED', value: (row, nowMs) => relativeTo(nowMs, row.createdAt), isWide: true },
          { title: 'KIND', value: (row) => row.ownerKind, isWide: true },
        ],
        nameOf: (row) => row.id,
        data: page,
        whenEmpty: 'no tokens',
      }),
    );
    noteNextPage(context, page.next);
    return undefined;
  },
};

function stateOf({ revokedAt, expiresAt }: Row, nowMs: number): string {
  if (revokedAt !== null) return 'revoked';
  return Date.parse(expiresAt) <= nowMs ? 'expired' : `ends ${relativeTo(nowMs, expiresAt)}`;
}
