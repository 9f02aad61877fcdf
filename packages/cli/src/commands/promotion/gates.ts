/** `stella promotion gates <promotion>` */
import type { Answer } from '@stella/contract/client';
import { AppError, formatDuration, GATE_RUN_STATES, nearestOf } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { positional, textOption } from '../../input.ts';
import { tableView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';

type Row = Answer<'listGateRuns'>['items'][number];
type State = Row['state'];

export const promotionGates: CommandSpec = {
  path: ['promotion', 'gates'],
  summary: 'Gates of a promotion with their attempts and verdicts',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  options: [{ flags: '--status <state>', summary: `only runs that are ${GATE_RUN_STATES.join(', ')}` }],
  examples: ['stella promotion gates prm_01jd --status timeout'],
  async run({ connect, show }, { positionals, options }) {
    const status = parseState(textOption(options, 'status'));
    const { client } = await connect();
    const parameters = { promotion: positional(positionals, 0) };
    const answer = await client.call('listGateRuns', { parameters, query: status ? { status } : {} });
    show(
      tableView<Row>({
        rows: answer.items,
        columns: [
          { title: 'GATE', value: (row) => (row.round > 1 ? `${row.gate} #${row.round}` : row.gate) },
          { title: 'KIND', value: (row) => row.kind },
          { title: 'STATE', value: (row) => (row.heldUntil === null ? row.state : `${row.state}, held`) },
          {
            title: 'ATTEMPTS',
            value: (row) => (row.limits !== null ? `${row.attemptCount} of ${row.attemptLimit}` : '-'),
          },
          { title: 'NEXT', value: (row, nowMs) => relativeTo(nowMs, row.nextAttemptAt) },
          { title: 'UNTIL', value: untilOf },
          { title: 'MEASURED', value: measuredOf },
          { title: 'MESSAGE', value: messageOf },
          { title: 'LIMITS', value: limitsOf, isWide: true },
          { title: 'DEADLINE', value: (row) => row.heldUntil ?? row.deadlineAt ?? '-', isWide: true },
          { title: 'ID', value: (row) => row.id, isWide: true },
        ],
        nameOf: (row) => row.id,
        data: answer,
        whenEmpty: status ? `no gate is ${status}` : 'it has no gates yet',
      }),
    );
    return undefined;
  },
};

function untilOf(row: Row, nowMs: number): string {
  if (row.state === 'skipped') return skipUntil(row, nowMs);
  if (row.verdict !== null) return row.validUntil === null ? '-' : `valid ${relativeTo(nowMs, row.validUntil)}`;
  if (row.kind === 'window' && row.dueAt !== null) return `opens ${relativeTo(nowMs, row.dueAt)}`;
  return relativeTo(nowMs, row.heldUntil ?? row.dueAt ?? row.deadlineAt);
}

/** `p95 8ms, sla 5s` of the last day. */
function measuredOf({ measured, slaMs }: Row): string {
  const sla = slaMs === null ? [] : [`sla ${formatDuration(slaMs)}`];
  const p95 = measured?.p95Ms ?? null;
  return [...(p95 === null ? [] : [`p50 ${measured?.p50Ms ?? 0}ms p95 ${p95}ms`]), ...sla].join(', ') || '-';
}

/** `timeout 5m (gates.tests.timeout), retries 2 (the definition), …` */
function limitsOf({ limits }: Row): string {
  if (limits === null) return '-';
  return Object.entries(limits)
    .map(([name, { value, source }]) => `${name} ${value} (${source})`)
    .join(', ');
}

function skipUntil({ skips }: Row, nowMs: number): string {
  const approved = skips.find((skip) => skip.state === 'approved');
  return approved ? `skip counts ${relativeTo(nowMs, approved.expiresAt)}` : '-';
}

/** A question that was taken and is not answered yet. */
function waitOf({ attempts }: Row, nowMs: number): string {
  const last = attempts.at(-1);
  if (!last || last.outcome !== null || last.acknowledgedAt === null) return '';
  return `taken ${relativeTo(nowMs, last.acknowledgedAt)}, is to call back ${relativeTo(nowMs, last.deadlineAt)}`;
}

function messageOf(row: Row, nowMs: number): string {
  const { message, approvals, skips } = row;
  const who = approvals.map((one) => `${one.decision} by ${one.subject}`).join(', ');
  const asked = skips.flatMap(({ approveCommand, requestedBy }) =>
    approveCommand === null ? [] : [`${requestedBy} asks to skip it; another person: ${approveCommand}`],
  );
  return [waitOf(row, nowMs) || message, who, ...asked].filter((text) => text !== '').join('; ');
}

function parseState(text: string | undefined): State | undefined {
  if (text === undefined) return undefined;
  const known = GATE_RUN_STATES.find((state) => state === text);
  if (known) return known;
  const nearest = nearestOf(text, GATE_RUN_STATES);
  const message = `"${text}" is not a state of a gate run; known are ${GATE_RUN_STATES.join(', ')}`;
  throw new AppError('cli.usage', {
    details: { message },
    ...(nearest === null ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
