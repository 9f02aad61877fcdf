/** Quotas on the wire. */
import {
  formatActor,
  isOpenRequest,
  QUOTA_NAMES,
  quotaKey,
  type QuotaName,
  type QuotaRequest,
  quotaStandings,
  quotaWindow,
  toRfc3339,
} from '@stella/domain';
import type { Answer } from '@stella/contract';
import type { QuotaRow, SettingChange } from '../../ports/read-store.ts';

type Quota = Answer<'listQuotas'>['items'][number];

/** Those that have a limit, a setting or an open request; with `isEverything` all of them. */
export function presentQuotas(row: QuotaRow, settings: readonly SettingChange[], isEverything: boolean): Quota[] {
  const quotas = QUOTA_NAMES.map((name) => presentQuota(row, name, settings));
  return quotas.filter(({ limit, set, request }) => isEverything || limit !== null || set !== null || request !== null);
}

function presentQuota(row: QuotaRow, name: QuotaName, settings: readonly SettingChange[]): Quota {
  const { environment, definition, use, nowMs } = row;
  const change = settings.find((one) => one.key === quotaKey(environment, name)) ?? null;
  const standing = use ? quotaStandings(use, nowMs).find((one) => one.name === name) : undefined;
  const timeZone = definition?.timeZone ?? 'UTC';
  const window = name === 'inProgress' ? null : (standing?.window ?? quotaWindow(name, timeZone, nowMs));
  const request = row.requests.find((one) => one.name === name);
  const isOpen = request && isOpenRequest(request, change?.changedAtMs ?? null, nowMs);
  return {
    environment,
    name,
    limit: standing?.limit ?? null,
    declared: definition?.[name] ?? null,
    set: change?.value ?? null,
    setBy: change && change.value !== null ? formatActor(change.changedBy) : null,
    used: standing?.used ?? 0,
    waiting: row.waiting[name] ?? 0,
    timeZone,
    since: window ? toRfc3339(window.sinceMs) : null,
    resetsAt: window ? toRfc3339(window.untilMs) : null,
    request: isOpen ? presentRequest(request) : null,
  };
}

export function presentRequest({ wanted, reason, by, atMs }: QuotaRequest): NonNullable<Quota['request']> {
  return { wanted, reason, by, at: toRfc3339(atMs) };
}
