/** `stella promotion list`, with `--count` for scripts and `--by-actor` for people. */
import type { Answer } from '@stella/contract/client';
import type { CommandContext, CommandSpec } from '../../command.ts';
import { countOption, isSet, textOption } from '../../input.ts';
import { tableView, textView } from '../../view.ts';
import { noteNextPage, PAGE_OPTIONS } from '../pages.ts';
import { ageOf, relativeTo } from '../show-age.ts';

type Row = Answer<'listPromotions'>['items'][number];

export const promotionList: CommandSpec = {
  path: ['promotion', 'list'],
  summary: 'Promotions, newest first',
  kind: 'read',
  options: [
    { flags: '--status <status>', summary: 'only these, separated by commas' },
    { flags: '--kind <kind>', summary: 'promote, rollback or deploy; several separated by commas' },
    { flags: '--env <environment>', summary: 'only into this environment' },
    { flags: '--release <release>', summary: 'only of this release' },
    { flags: '--older-than <duration>', summary: 'live, and without progress for longer than this' },
    { flags: '--last <duration>', summary: 'only those made within this long' },
    { flags: '--count', summary: 'only how many' },
    { flags: '--by-actor', summary: 'counted by who asked for them' },
    ...PAGE_OPTIONS,
  ],
  examples: [
    'stella promotion list --status in_progress --older-than 5m',
    'stella promotion list --last 24h --count',
    'stella promotion list --kind rollback,deploy --env prod',
  ],
  async run(context, { options }) {
    const { client } = await context.connect();
    const filter = {
      status: textOption(options, 'status'),
      kind: textOption(options, 'kind'),
      environment: textOption(options, 'env'),
      release: textOption(options, 'release'),
      olderThan: textOption(options, 'olderThan'),
      last: textOption(options, 'last'),
    };
    if (isSet(options, 'count')) {
      const { count } = await client.call('countPromotions', { query: filter });
      context.show(textView({ name: String(count), data: { count }, text: () => String(count) }));
      return undefined;
    }
    if (isSet(options, 'byActor')) {
      showByActor(context, await client.call('countPromotionActors', { query: filter }));
      return undefined;
    }
    const limit = countOption(options, 'limit', { min: 1, max: 500 });
    const page = await client.call('listPromotions', {
      query: { ...filter, limit, cursor: textOption(options, 'cursor') },
    });
    showRows(context, page);
    noteNextPage(context, page.next);
    return undefined;
  },
};

function showRows({ show }: CommandContext, page: Answer<'listPromotions'>): void {
  show(
    tableView<Row>({
      rows: page.items,
      columns: [
        { title: 'ID', value: (row) => row.id },
        { title: 'RELEASE', value: (row) => row.release.name },
        { title: 'TO', value: (row) => row.environment },
        { title: 'STATUS', value: (row) => row.status },
        { title: 'AGE', value: (row, nowMs) => ageOf(nowMs, row.createdAt) },
        { title: 'KIND', value: (row) => row.kind, isWide: true },
        { title: 'STEP', value: (row) => row.step, isWide: true },
        { title: 'PROGRESS', value: (row, nowMs) => relativeTo(nowMs, row.lastProgressAt), isWide: true },
        { title: 'BY', value: (row) => row.requestedBy.name, isWide: true },
        { title: 'PRIORITY', value: (row) => row.priority, isWide: true },
      ],
      nameOf: (row) => row.id,
      data: page,
      whenEmpty: 'no promotions match',
    }),
  );
}

type ActorCounts = Answer<'countPromotionActors'>;

function showByActor({ show, terminal }: CommandContext, answer: ActorCounts): void {
  show(
    tableView<ActorCounts['items'][number]>({
      rows: answer.items,
      columns: [
        { title: 'ACTOR', value: (row) => row.actor.name },
        { title: 'COUNT', value: (row) => String(row.count) },
      ],
      nameOf: (row) => row.actor.name,
      data: answer,
      whenEmpty: 'no promotions match',
    }),
  );
  if (answer.isCut) terminal.err('there are more: only the newest promotions were counted\n');
}
