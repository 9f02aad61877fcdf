/** `stella orch gate-services status`: every service that a gate asks, with the newest look at it. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';
import { timeOf, timeoutsOf } from './gate-stats.ts';

type Row = Answer<'listGateServices'>['items'][number];

export const orchGateServicesStatus: CommandSpec = {
  path: ['orch', 'gate-services', 'status'],
  summary: 'Services of gates: newest look, time-outs and times of late, their promise',
  kind: 'read',
  options: [
    { flags: '--env <environment>', summary: 'only there' },
    { flags: '--last <duration>', summary: 'attempts that began within it (1h)' },
  ],
  examples: ['stella orch gate-services status', 'stella orch connectivity --gate change-ticket'],
  async run({ connect, show }, { options }) {
    const { client } = await connect();
    const query = { environment: textOption(options, 'env'), last: textOption(options, 'last') };
    const answer = await client.call('listGateServices', { query });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'GATE', value: (row) => `${row.gate}@${row.environment}` },
          { title: 'LOOK', value: lookOf },
          { title: 'ATTEMPTS', value: ({ stats }) => String(stats.attemptCount) },
          { title: 'TIMEOUT', value: ({ stats }) => timeoutsOf(stats) },
          { title: 'P95', value: ({ stats }) => timeOf(stats.p95Ms) },
          { title: 'SLA', value: ({ stats }) => timeOf(stats.slaMs) },
          { title: 'SERVICE', value: (row) => row.service, isWide: true },
        ],
        nameOf: (row) => `${row.environment}/${row.gate}`,
        data: answer,
        whenEmpty: 'no gate asks a service',
      }),
    );
    return undefined;
  },
};

/** `ok 3m ago`, `tcp.refused 20s ago`. */
function lookOf({ probe }: Row, nowMs: number): string {
  if (probe === null) return 'never';
  const failed = probe.stages.find(({ outcome }) => outcome === 'failed');
  return `${failed?.code ?? 'ok'} ${relativeTo(nowMs, probe.at)}`;
}
