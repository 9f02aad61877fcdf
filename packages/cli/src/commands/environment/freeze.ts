/** `stella environment freeze <environment>` */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec } from '../../command.ts';
import { positional, requiredText, textOption } from '../../input.ts';
import { textView } from '../../view.ts';
import { relativeTo } from '../show-age.ts';

type Change = Answer<'freezeEnvironment'>;

export const environmentFreeze: CommandSpec = {
  path: ['environment', 'freeze'],
  summary: 'Let nothing new be deployed to an environment, at once, also for promotions under way',
  kind: 'write',
  positionals: [{ name: 'environment', summary: 'its name' }],
  options: [
    { flags: '--reason <text>', summary: 'why; shown to everybody who waits', isRequired: true },
    { flags: '--for <duration>', summary: 'ends by itself after so long, 2h' },
    { flags: '--until <time>', summary: 'ends by itself then, 2026-12-24T18:00Z' },
  ],
  examples: ['stella environment freeze prod --reason "the shop is on television" --for 2h'],
  async run({ connect, show, globals }, { positionals, options }) {
    const length = textOption(options, 'for');
    const until = instantOption(textOption(options, 'until'));
    const { client, idempotencyKey } = await connect();
    const parameters = { environment: positional(positionals, 0) };
    const body = {
      reason: requiredText(options, 'reason'),
      ...(length === undefined ? {} : { for: length }),
      ...(until === undefined ? {} : { until }),
      dryRun: globals.isDryRun,
    };
    const answer = await client.call('freezeEnvironment', { parameters, body, idempotencyKey });
    show(textView({ name: answer.environment, data: answer, text: (nowMs) => describe(answer, nowMs) }));
    return undefined;
  },
};

function describe({ environment, version, freeze, dryRun }: Change, nowMs: number): string {
  const end = freeze?.until ?? null;
  const until = end === null ? 'until somebody unfreezes it' : `until ${end} (${relativeTo(nowMs, end)})`;
  return [
    `Environment  ${environment} ${dryRun ? 'would be' : 'is'} frozen ${until}, version ${version}`,
    `Reason       ${freeze?.reason ?? ''}`,
    `Deploys      that have begun go on; nothing else begins`,
    `End it       stella environment unfreeze ${environment}`,
    `Emergency    stella promotion gate skip <promotion> <gate> --reason "…", approved by another person`,
  ].join('\n');
}

/** RFC 3339 with its zone: a time without one would mean another moment on another machine. */
export function instantOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const atMs = isWhole ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return new Date(atMs).toISOString();
  const message = `--until: "${text}" is not a time with its zone, such as 2026-12-24T18:00Z or 2026-12-24T18:00+01:00`;
  throw new AppError('cli.usage', { details: { message } });
}
