/** `stella promotion trace <promotion>`: everything that happened to it, in order, as it is recorded. */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { tableView } from '../../view.ts';

type Event = Answer<'tracePromotion'>['items'][number];

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
    const isWhole = globals.isVerbose;
    show(
      tableView<Event>({
        rows: items,
        columns: [
          { title: 'TIME', value: (row) => (isWhole ? row.at : row.at.slice(11, 23)) },
          { title: 'EVENT', value: (row) => row.type },
          { title: 'SUBJECT', value: (row) => (row.subject === row.promotionId ? '' : row.subject) },
          { title: 'WHAT', value: (row) => (isWhole ? JSON.stringify(row.data) : wordsOf(row)) },
          ...(isWhole ? [{ title: 'ACTOR', value: (row: Event) => row.actor.name }] : []),
          { title: 'HASH', value: (row) => row.hash, isWide: true },
          { title: 'SEQ', value: (row) => (row.seq === null ? '-' : String(row.seq)), isWide: true },
        ],
        nameOf: (row) => String(row.promotionSeq),
        whenEmpty: 'no events',
      }),
    );
    return undefined;
  },
};

/** The two or three words of an event that tell the story. */
function wordsOf({ data }: Event): string {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return '';
  const { from, to, outcome, verdict, message, reason, code } = data;
  const change = typeof from === 'string' ? `${from} → ${typeof to === 'string' ? to : 'end'}` : '';
  return [change, outcome, verdict, code, message, reason]
    .filter((word): word is string => typeof word === 'string' && word !== '')
    .join(', ');
}
