/** `stella promotion trace <promotion>`: everything that happened to it, in order, as it is recorded. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { tableView, type View } from '../../view.ts';

type Event = Answer<'tracePromotion'>['items'][number];
type Promotion = Answer<'getPromotion'>;

export const promotionTrace: CommandSpec = {
  path: ['promotion', 'trace'],
  summary: 'Everything that happened to a promotion, in order',
  kind: 'read',
  positionals: [{ name: 'promotion', summary: 'its id, or the unique start of it' }],
  examples: ['stella promotion trace prm_01jd --verbose'],
  async run({ connect, show, globals }, { positionals }) {
    const { client } = await connect();
    const parameters = { promotion: positional(positionals, 0) };
    const { items } = await client.call('tracePromotion', { parameters });
    const promotion = globals.isVerbose ? await client.call('getPromotion', { parameters }) : null;
    show(traceView({ promotion, events: items, isWhole: globals.isVerbose }));
    return undefined;
  },
};

interface Trace {
  /** Null: only its events were asked for. */
  readonly promotion: Promotion | null;
  readonly events: readonly Event[];
  /** With every attempt. */
  readonly isWhole: boolean;
}

export function traceView({ promotion, events, isWhole }: Trace): View {
  if (isWhole && promotion) return wholeTrace(promotion, events);
  return tableView<Event>({
    rows: events,
    columns: [
      { title: 'TIME', value: (row) => row.at.slice(11, 23) },
      { title: 'EVENT', value: (row) => row.type },
      { title: 'SUBJECT', value: (row) => (row.subject === row.promotionId ? '' : row.subject) },
      { title: 'WHAT', value: wordsOf },
      { title: 'HASH', value: (row) => row.hash, isWide: true },
      { title: 'SEQ', value: (row) => (row.seq === null ? '-' : String(row.seq)), isWide: true },
    ],
    nameOf: (row) => String(row.promotionSeq),
    whenEmpty: 'no events',
  });
}

/** One line of the whole trace: an event, or an attempt with how it went. */
interface TraceRow {
  readonly at: string;
  readonly what: string;
  readonly subject: string;
  readonly took: string;
  readonly result: string;
  readonly who: string;
  readonly operation: string;
  readonly fence: string;
}

function wholeTrace(promotion: Promotion, events: readonly Event[]): View {
  const rows = [
    ...events.map((event) => eventRow(event, promotion)),
    ...promotion.attempts.map((attempt) => attemptRow(attempt, promotion)),
  ];
  rows.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
  return tableView<TraceRow>({
    rows,
    columns: [
      { title: 'TIME', value: (row) => row.at },
      { title: 'WHAT', value: (row) => row.what },
      { title: 'SUBJECT', value: (row) => row.subject },
      { title: 'TOOK', value: (row) => row.took },
      { title: 'RESULT', value: (row) => row.result },
      { title: 'WHO', value: (row) => row.who },
      { title: 'OPERATION', value: (row) => row.operation },
      { title: 'FENCE', value: (row) => row.fence },
    ],
    nameOf: (row) => row.operation,
    data: { promotion, events },
    whenEmpty: 'no events',
  });
}

function eventRow(event: Event, { id }: Promotion): TraceRow {
  const { at, type, subject, actor } = event;
  const result = wordsOf(event);
  return {
    at,
    what: type,
    subject: subject === id ? '' : subject,
    took: '',
    result,
    who: actor.name,
    operation: '',
    fence: '',
  };
}

function attemptRow(attempt: Promotion['attempts'][number], promotion: Promotion): TraceRow {
  const { startedAt, endedAt, purpose, subject, number, outcome, code, message, operationId, fence, acknowledgedAt } =
    attempt;
  const took =
    endedAt === null
      ? acknowledgedAt === null
        ? 'runs'
        : 'waits'
      : `${Date.parse(endedAt) - Date.parse(startedAt)}ms`;
  const until = `${acknowledgedAt === null ? '' : `taken ${acknowledgedAt}, calls back `}until ${attempt.deadlineAt}`;
  const result = outcome === null ? until : [outcome, code, message].filter(Boolean).join(': ');
  const what = `${purpose} attempt ${number}`;
  const who = whoActed(attempt, promotion);
  return { at: startedAt, what, subject, took, result, who, operation: operationId, fence: fence ?? '' };
}

/** The worker that brought the outcome, or has the promotion now; else the rules, or a service that called back. */
function whoActed({ outcome, acknowledgedAt, workerId }: Promotion['attempts'][number], promotion: Promotion): string {
  if (workerId !== null) return workerId;
  if (outcome === null && acknowledgedAt === null) return promotion.workerId ?? '-';
  return outcome === null ? 'service' : 'engine';
}

/** The two or three words of an event that tell the story. */
function wordsOf({ data }: Event): string {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return '';
  const { from, to, outcome, verdict, message, reason, code } = data;
  const change = typeof from === 'string' ? `${from} → ${typeof to === 'string' ? to : 'end'}` : '';
  return [change, outcome, verdict, code, message, reason]
    .filter((word): word is string => typeof word === 'string' && word !== '')
    .join(', ');
}
