/** What the commands on quotas share: names of limits as options, and how they are shown. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandInput, OptionSpec } from '../../command.ts';
import { textOption } from '../../input.ts';
import { relativeTo } from '../show-age.ts';

export type Quota = Answer<'listQuotas'>['items'][number];

const FLAGS = [
  { name: 'perHour', flag: 'per-hour' },
  { name: 'perDay', flag: 'per-day' },
  { name: 'inProgress', flag: 'in-progress' },
] as const satisfies readonly { readonly name: Quota['name']; readonly flag: string }[];

const LIMIT_TEXT = /^[1-9]\d{0,4}$/;

export function limitOptions(value: string): readonly OptionSpec[] {
  return [
    { flags: `--per-hour <${value}>`, summary: 'starts within an hour' },
    { flags: `--per-day <${value}>`, summary: 'starts within a day of the time zone of the quota' },
    { flags: `--in-progress <${value}>`, summary: 'promotions in progress at once, with concurrency: per_component' },
  ];
}

export interface WantedLimit {
  readonly name: Quota['name'];
  readonly limit: number | null;
}

/** Those that were given; a limit of null is `default`. Errors: `cli.usage`. */
export function limitsIn(
  options: CommandInput['options'],
  { mayUnset }: { readonly mayUnset: boolean },
): readonly WantedLimit[] {
  return FLAGS.flatMap(({ name, flag }): WantedLimit[] => {
    const text = textOption(options, name);
    if (text === undefined) return [];
    if (mayUnset && text === 'default') return [{ name, limit: null }];
    if (LIMIT_TEXT.test(text)) return [{ name, limit: Number(text) }];
    const expected = mayUnset ? 'a whole number from 1 on, or default' : 'a whole number from 1 on';
    throw new AppError('cli.usage', { details: { message: `--${flag}: "${text}" is not ${expected}` } });
  });
}

export function flagOf(name: Quota['name']): string {
  return `--${FLAGS.find((one) => one.name === name)?.flag ?? name}`;
}

/** `in 3h`; of promotions in progress, when one ends. */
export function resetText({ resetsAt }: Quota, nowMs: number): string {
  return resetsAt === null ? 'when one ends' : relativeTo(nowMs, resetsAt);
}

/** How an open request is answered. */
export function answerCommand({ environment, name, request }: Quota): string {
  return `stella orch quota limits set --env ${environment} ${flagOf(name)} ${request?.wanted ?? ''}`;
}
