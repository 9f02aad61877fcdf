/**
 * Limits of one environment's quotas, changed while promotions wait for them: `environments.prod.quotas.perDay`. They beat
 * the definition in YAML.
 */
import { QUOTA_MAX, QUOTA_NAMES, type QuotaName } from '../environment/quota.ts';
import type { SettingEntry } from './settings.ts';

export type QuotaSettingKey = `environments.${string}.quotas.${QuotaName}`;

export interface QuotaSettingParts {
  readonly environment: string;
  readonly quota: QuotaName;
}

const PURPOSES: Readonly<Record<QuotaName, string>> = {
  perHour: 'promotions that may start in the environment within an hour',
  perDay: 'promotions that may start in the environment within a day',
  inProgress: 'promotions that may be in progress in the environment at once',
};

const KEY = new RegExp(`^environments\\.([a-z0-9][a-z0-9-]{0,62})\\.quotas\\.(${QUOTA_NAMES.join('|')})$`);

/** `environments.prod.quotas.perDay` → its parts; null for any other text. */
export function partsOfQuotaKey(key: string): QuotaSettingParts | null {
  const [, environment, quota] = KEY.exec(key) ?? [];
  if (environment === undefined || quota === undefined) return null;
  // One of the words of the pattern.
  return { environment, quota: quota as QuotaName };
}

export function isQuotaSettingKey(key: string): key is QuotaSettingKey {
  return partsOfQuotaKey(key) !== null;
}

/** At least one: to let nobody start is what a freeze is for. */
export function quotaSettingEntry(quota: QuotaName): SettingEntry {
  return { unit: 'count', standard: null, min: 1, max: QUOTA_MAX, purpose: PURPOSES[quota] };
}
