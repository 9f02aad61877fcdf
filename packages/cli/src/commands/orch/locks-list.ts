/** `stella orch locks list` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { ageOf } from '../show-age.ts';

type Row = Answer<'listLocks'>['items'][number];

export const orchLocksList: CommandSpec = {
  path: ['orch', 'locks', 'list'],
  summary: 'Live locks: who holds them, for how long, who waits',
  kind: 'read',
  options: [{ flags: '--env <environment>', summary: 'only of this environment' }],
  async run({ connect, show, globals, terminal }, { options }) {
    const { client } = await connect();
    const environment = textOption(options, 'env');
    const answer = await client.call('listLocks', { query: environment === undefined ? {} : { environment } });
    const isShort = globals.output === 'table';
    show(
      tableView<Row>({
        // Shared locks on artifacts stop nobody; `-o wide` and the data formats show them.
        rows: isShort ? answer.items.filter((row) => row.mode === 'exclusive') : answer.items,
        columns: [
          { title: 'ID', value: (row) => row.id },
          { title: 'RESOURCE', value: (row) => row.resource },
          { title: 'STEP', value: (row) => row.step },
          { title: 'AGE', value: (row, nowMs) => ageOf(nowMs, row.acquiredAt) },
          { title: 'HEARTBEAT', value: (row, nowMs) => ageOf(nowMs, row.heartbeatAt) },
          { title: 'FENCE', value: (row) => row.fence },
          { title: 'STALE', value: (row) => (row.isStale ? 'yes' : 'no') },
          { title: 'HOLDER', value: (row) => row.promotionId },
          { title: 'WAITERS', value: (row) => row.waiters.join(' ') || '-' },
          { title: 'WORKER', value: (row) => row.workerId ?? '-', isWide: true },
        ],
        nameOf: (row) => row.id,
        data: answer,
        whenEmpty: 'no live locks',
      }),
    );
    for (const cycle of answer.cycles) {
      terminal.err(
        `cycle: ${[...cycle, cycle[0]].join(' waits for ')}; release one: stella orch locks release --force\n`,
      );
    }
    return undefined;
  },
};
