/** `orch config set` and `unset`: effective at once, for everything that is read from then on. */
import {
  AppError,
  authorize,
  formatSetting,
  partsOfGateKey,
  partsOfQuotaKey,
  type Principal,
  type AnySettingKey,
  settingEntryOf,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

export interface SettingOrder {
  readonly key: AnySettingKey;
  /** Null: what the server was started with counts again. */
  readonly value: number | null;
  readonly reason: string;
  /** The version that the caller has seen; null: whatever it is now. */
  readonly seenVersion: number | null;
}

/**
 * Answers the version after it; setting what is set already changes nothing. Errors: `auth.forbidden`, because most settings
 * count in every environment, and `etag.mismatch`.
 */
export async function changeSetting(
  tx: CommandTransaction,
  principal: Principal,
  { key, value, reason, seenVersion }: SettingOrder,
): Promise<void> {
  const environment = (partsOfQuotaKey(key) ?? partsOfGateKey(key))?.environment ?? '*';
  authorize(principal, 'setting.write', { environment, name: `the setting ${key}` });
  const before = await tx.lockSetting(key);
  if (seenVersion !== null && seenVersion !== (before?.version ?? 0)) throw new AppError('etag.mismatch');
  if ((before?.value ?? null) === value) return;
  const { actor } = principal;
  const version = await tx.writeSetting({ key, value, reason, actor });
  const data = { from: recorded(key, before?.value ?? null), to: recorded(key, value), version, reason };
  await tx.writeEvents([{ type: 'setting.changed', actor, atMs: tx.nowMs, promotionId: null, subject: key, data }]);
}

/** As an event keeps it: a number as it counts, a word as such, because its place says nothing to a reader. */
function recorded(key: AnySettingKey, value: number | null): number | string | null {
  return value !== null && settingEntryOf(key).words ? formatSetting(key, value) : value;
}
