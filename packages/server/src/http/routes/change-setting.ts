/** `POST /settings/{setting}`: also tells what it does to the time budgets, and refuses nothing because of those. */
import { parseSetting } from '@stella/domain';
import { changeSetting as change } from '../../engine/commands/change-setting.ts';
import { settingsOver } from '../../ports/settings-now.ts';
import { findSettingKey } from '../find-setting-key.ts';
import { presentSetting } from '../present/present-setting.ts';
import { presentMovedBudgets } from '../present/present-time-budget.ts';
import type { RouteHandler } from '../route-handler.ts';
import { visibleDefinitions } from '../visible-definitions.ts';

export const changeSetting: RouteHandler<'changeSetting'> = async (deps, context) => {
  const { caller, parameters, body, seenVersion, write } = context;
  const key = await findSettingKey(deps.reads, parameters.setting);
  const value = body.value === null ? null : parseSetting(key, body.value);
  const definitions = await visibleDefinitions(deps.reads, caller);
  const answer = await write(async (tx) => {
    const before = settingsOver(deps.settings, await tx.listSettings());
    await change(tx, caller, { key, value, reason: body.reason, seenVersion });
    const changes = await tx.listSettings();
    const last = changes.find((one) => one.key === key) ?? null;
    const timeBudgets = presentMovedBudgets(definitions, before, settingsOver(deps.settings, changes));
    return { ...presentSetting(key, deps.settings, last), timeBudgets };
  });
  deps.wake();
  return answer;
};
