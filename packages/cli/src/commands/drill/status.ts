/** `stella drill status` */
import { isAppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { tableView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';
import { DIRECTORY_OPTION, openDrills } from './drill-options.ts';

interface Row {
  readonly name: string;
  readonly cause: string;
  readonly startedAt: string;
  readonly promotionId: string | null;
  /** Status of the promotion; null when there is none. */
  readonly status: string | null;
  readonly isPeerAlive: boolean;
}

export const drillStatus: CommandSpec = {
  path: ['drill', 'status'],
  summary: 'The drills of this machine',
  kind: 'read',
  options: [DIRECTORY_OPTION],
  async run(context, input) {
    const { isPeerAlive } = await import('../../drills/peer.ts');
    const { listDrills, placeOf } = await import('../../drills/place.ts');
    const { clientOfOwn } = await import('../../drills/own/own-orchestrator.ts');
    const { drills, client } = await openDrills(context, input);
    const rows: Row[] = [];
    for (const state of listDrills(drills)) {
      const { name, cause, startedAt, promotionId, own } = state;
      const asked = own === null ? client : clientOfOwn(own);
      const status = promotionId === null ? null : await statusOf(asked, promotionId);
      rows.push({ name, cause, startedAt, promotionId, status, isPeerAlive: isPeerAlive(placeOf(drills, name)) });
    }
    context.show(
      tableView<Row>({
        rows,
        columns: [
          { title: 'DRILL', value: (row) => row.name },
          { title: 'SINCE', value: (row, nowMs) => relativeTo(nowMs, row.startedAt) },
          { title: 'PROMOTION', value: (row) => row.promotionId ?? '-' },
          { title: 'STATUS', value: (row) => row.status ?? 'is set up' },
          { title: 'PEER', value: (row) => (row.isPeerAlive ? 'runs' : 'gone: stop it') },
        ],
        nameOf: (row) => row.name,
        whenEmpty: 'no drill runs',
      }),
    );
    return undefined;
  },
};

/** Null when the server does not know it: then it was started on another one. */
async function statusOf(
  client: Awaited<ReturnType<typeof openDrills>>['client'],
  promotion: string,
): Promise<string | null> {
  try {
    return (await client.call('getPromotion', { parameters: { promotion } })).status;
  } catch (error) {
    if (isAppError(error) && error.kind === 'NotFound') return null;
    throw error;
  }
}
