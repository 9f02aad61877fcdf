/** One setting as `orch config get`, `set` and `unset` print it. */
import type { Answer } from '@stella/contract/client';
import { textView, type View } from '../../view.ts';

type Setting = Answer<'listSettings'>['items'][number];
type TimeBudget = Answer<'listSettings'>['timeBudgets'][number] & { readonly before?: TimeBudget };

const SOURCES: Readonly<Record<Setting['source'], string>> = {
  set: 'set while the server runs',
  start: 'given at the start of the server',
  default: 'the default',
  definition: 'as the definition of each gate says',
};

export function settingView(setting: Setting & { readonly timeBudgets: readonly TimeBudget[] }): View {
  return textView({
    name: setting.key,
    data: setting,
    text: () => [describe(setting), ...setting.timeBudgets.map(describeBudget)].join('\n'),
  });
}

/** `1s to 1h`, or `pessimistic or optimistic`. */
export function rangeOf({ min, max, words }: Setting): string {
  return words ? words.join(' or ') : `${min ?? ''} to ${max ?? ''}`;
}

function describe(setting: Setting): string {
  const { key, value, source, purpose, default: standard, version, changedAt, changedBy } = setting;
  return [
    `Setting    ${key}`,
    `Value      ${value === null ? '' : `${value}, `}${SOURCES[source]}`,
    `Purpose    ${purpose}`,
    `Range      ${rangeOf(setting)}${standard === null ? '' : `, default ${standard}`}`,
    ...(changedAt === null ? [] : [`Changed    ${changedAt} by ${changedBy?.name ?? 'nobody'}, version ${version}`]),
  ].join('\n');
}

/** The sum, what it was before when that is told, and what does not fit: one line each. */
export function describeBudget({ environment, arithmetic, warnings, before }: TimeBudget): string {
  return [
    `Budget     ${environment}: ${arithmetic}`,
    ...(before && before.arithmetic !== arithmetic ? [`  before   ${before.arithmetic}`] : []),
    ...warnings.map((warning) => `  warning  ${warning}`),
  ].join('\n');
}
