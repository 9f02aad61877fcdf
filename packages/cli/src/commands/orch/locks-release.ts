/** `stella orch locks release`: `--force` is the confirmation; without it only stale locks go. */
import type { Answer } from '@stella/contract/client';
import { AppError } from '@stella/domain/client';
import type { CommandSpec, Connection } from '../../command.ts';
import { isSet, textOption } from '../../input.ts';
import { textView } from '../../view.ts';
import { SEAL_PATIENCE_MS, sealLines } from './seal-lines.ts';

type Released = Answer<'releaseLock'>;

export const orchLocksRelease: CommandSpec = {
  path: ['orch', 'locks', 'release'],
  summary: 'Take a lock from its promotion, which fails; seals every target first-hand',
  kind: 'write',
  positionals: [{ name: 'lock', summary: 'its id, or the unique start of it', isOptional: true }],
  options: [
    { flags: '--env <environment>', summary: "the environment's lock, instead of an id" },
    { flags: '--force', summary: 'also from a live holder' },
    { flags: '--reason <text>', summary: 'recorded with it' },
  ],
  examples: ['stella orch locks release lck_01jd --force', 'stella orch locks release --env prod --force'],
  async run({ connect, show, globals }, { positionals, options }) {
    const connection = await connect({ patienceMs: SEAL_PATIENCE_MS });
    const lock = positionals[0] ?? (await lockOf(connection, textOption(options, 'env')));
    const body = {
      force: isSet(options, 'force'),
      reason: textOption(options, 'reason') ?? '',
      dryRun: globals.isDryRun,
    };
    const { client, idempotencyKey } = connection;
    const released = await client.call('releaseLock', { parameters: { lock }, body, idempotencyKey });
    show(textView({ name: released.lockId, data: released, text: () => describe(released) }));
    return undefined;
  },
};

async function lockOf({ client }: Connection, environment: string | undefined): Promise<string> {
  if (environment === undefined) {
    throw new AppError('cli.usage', { details: { message: 'name a lock, or its environment with --env' } });
  }
  const { items } = await client.call('listLocks', { query: { environment } });
  const exclusive = items.filter((row) => row.mode === 'exclusive');
  const [first] = exclusive;
  const holders = [...new Set(exclusive.map((row) => row.promotionId))];
  if (holders.length > 1) {
    const message = `several promotions hold locks of ${environment}: ${holders.join(', ')}; name a lock: stella orch locks list --env ${environment}`;
    throw new AppError('cli.usage', { details: { message } });
  }
  if (first) return first.id;
  throw new AppError('lock.not_found', { details: { name: `environment:${environment}` } });
}

function describe(answer: Released): string {
  const { lockId, promotionId, environment, fence, dryRun } = answer;
  const verb = dryRun ? 'would be released' : 'released';
  return [
    `Lock       ${lockId} ${verb}`,
    `Holder     ${promotionId} ${dryRun ? 'would fail' : 'failed'} with lock.revoked, without rollback`,
    `Fence      ${fence}`,
    ...(dryRun ? [] : sealLines(answer, 11)),
    `Next       stella orch artifacts list --env ${environment}`,
    `           stella promotion retry ${promotionId}`,
  ].join('\n');
}
