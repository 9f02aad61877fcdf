/** `stella environment show <environment>` */
import type { Answer } from '@stella/contract/client';
import type { CommandSpec } from '../../command.ts';
import { positional } from '../../input.ts';
import { displayWidth, padToWidth } from '../../output/display-width.ts';
import { textView } from '../../view.ts';
import { debtWords } from '../promotion/promotion-view.ts';
import { relativeTo } from '../show-age.ts';
import { releaseWords } from './release-words.ts';

type Component = Answer<'getEnvironment'>['components'][number];

type Target = Answer<'getEnvironment'>['targets'][number];

type Freeze = NonNullable<Answer<'getEnvironment'>['freeze']>;

export const environmentShow: CommandSpec = {
  path: ['environment', 'show'],
  summary: 'One environment with its whole definition',
  kind: 'read',
  positionals: [{ name: 'environment', summary: 'its name' }],
  async run({ connect, show }, { positionals }) {
    const { client } = await connect();
    const environment = positional(positionals, 0);
    const answer = await client.call('getEnvironment', { parameters: { environment } });
    const { yaml, ...facts } = answer;
    show(
      textView({
        name: answer.name,
        data: answer,
        text: (nowMs) =>
          [
            `Environment  ${facts.name}  version ${facts.version}, applied ${relativeTo(nowMs, facts.appliedAt)}`,
            `Release      ${releaseWords(facts).replace(/^-$/, 'none yet')}  ${facts.state}, ${relativeTo(nowMs, facts.releasedAt)}`,
            ...componentLines(facts.components, nowMs),
            ...(facts.stop === null
              ? []
              : [
                  `Stopped      ${relativeTo(nowMs, facts.stop.at)} (fence.behind): ${facts.stop.message}`,
                  `Cure         ${facts.stop.cure}`,
                ]),
            ...(facts.freeze === null ? [] : [`Frozen       ${freezeWords(facts.freeze, nowMs)}`]),
            ...facts.debts.map(
              (debt) => `Debt         gate '${debt.gate}' ${debtWords(debt, nowMs)}, of ${debt.promotionId}`,
            ),
            ...targetLines(facts.targets),
            '',
            yaml.trimEnd(),
          ].join('\n'),
      }),
    );
    return undefined;
  },
};

function freezeWords({ by, at, until, reason }: Freeze, nowMs: number): string {
  const who = by === null ? 'as planned' : `by ${by}`;
  const end = until === null ? 'until somebody unfreezes it' : `until ${until} (${relativeTo(nowMs, until)})`;
  return `${relativeTo(nowMs, at)} ${who}, ${end}: ${reason}`;
}

/** One line each, when they do not all run the same. */
function componentLines(components: readonly Component[], nowMs: number): string[] {
  const [first] = components;
  if (components.every((one) => one.release?.id === first?.release?.id && one.state === first?.state)) return [];
  return components.map(
    ({ component, release, state, releasedAt }) =>
      `             ${component}: ${release?.name ?? 'none yet'}  ${state}, ${relativeTo(nowMs, releasedAt)}`,
  );
}

const LABEL = 'Targets      ';
/** Blanks between two columns. */
const GAP = 2;

/** Columns of a terminal of a phone, or of a rack. */
const WIDTH = 80;

/** Of each its kind, its host, and what keeps its fence: on one line, or below where one of them is too long for that. */
export function targetLines(targets: readonly Target[]): string[] {
  const rows = targets.map(({ name, kind, host, fence }) => [name, kind, host ?? 'this machine', FENCE_WORDS[fence]]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))) + GAP);
  const isWide = LABEL.length + widths.reduce((sum, width) => sum + width, -GAP) > WIDTH;
  const lines = rows.flatMap((row) => {
    const cells = row.map((cell, column) => padToWidth(cell, widths[column] ?? 0));
    const place = cells.slice(0, 3).join('');
    return isWide ? [place, `${' '.repeat(GAP)}${cells[3] ?? ''}`] : [`${place}${cells[3] ?? ''}`];
  });
  return lines.map((line, index) => `${index === 0 ? LABEL : ' '.repeat(LABEL.length)}${line}`.trimEnd());
}

const FENCE_WORDS: Readonly<Record<Target['fence'], string>> = {
  directory: 'fence kept in its directory',
  script: 'fence kept by a script there',
};
