/** `GET /settings` */
import { isGateSettingKey, isQuotaSettingKey, SETTING_KEYS } from '@stella/domain';
import { settingsOver } from '../../ports/settings-now.ts';
import { presentSetting } from '../present/present-setting.ts';
import { presentTimeBudgets } from '../present/present-time-budget.ts';
import type { RouteHandler } from '../route-handler.ts';
import { visibleDefinitions } from '../visible-definitions.ts';

export const listSettings: RouteHandler<'listSettings'> = async ({ reads, settings }, { caller }) => {
  const changes = await reads.listSettings();
  const lastOf = (key: string) => changes.find((change) => change.key === key) ?? null;
  // Of gates and quotas only those that are set: there are as many as gates and environments.
  const isMany = (key: string): boolean => isGateSettingKey(key) || isQuotaSettingKey(key);
  const others = changes.filter(({ key, value }) => isMany(key) && value !== null).map(({ key }) => key);
  const definitions = await visibleDefinitions(reads, caller);
  return {
    items: [...SETTING_KEYS, ...others].map((key) => presentSetting(key, settings, lastOf(key))),
    timeBudgets: presentTimeBudgets(definitions, settingsOver(settings, changes)),
  };
};
