/** `GET /settings/{setting}` */
import { isBudgetSetting } from '@stella/domain';
import { settingsOver } from '../../ports/settings-now.ts';
import { findSettingKey } from '../find-setting-key.ts';
import { presentSetting } from '../present/present-setting.ts';
import { presentTimeBudgets } from '../present/present-time-budget.ts';
import type { RouteHandler } from '../route-handler.ts';
import { visibleDefinitions } from '../visible-definitions.ts';

export const getSetting: RouteHandler<'getSetting'> = async (deps, { caller, parameters, setEtag }) => {
  const { reads, settings } = deps;
  const key = await findSettingKey(reads, parameters.setting);
  const changes = await reads.listSettings();
  const change = changes.find((one) => one.key === key) ?? null;
  setEtag(`"v${change?.version ?? 0}"`);
  const touched = (await visibleDefinitions(reads, caller)).filter((definition) => isBudgetSetting(key, definition));
  const timeBudgets = presentTimeBudgets(touched, settingsOver(settings, changes));
  return { ...presentSetting(key, settings, change), timeBudgets };
};
