/** `POST /settings/{setting}` */
import { parseSetting } from '@stella/domain';
import { changeSetting as change } from '../../engine/commands/change-setting.ts';
import { findSettingKey } from '../find-setting-key.ts';
import { presentSetting } from '../present/present-setting.ts';
import type { RouteHandler } from '../route-handler.ts';

export const changeSetting: RouteHandler<'changeSetting'> = async (deps, context) => {
  const { caller, parameters, body, seenVersion, write } = context;
  const key = await findSettingKey(deps.reads, parameters.setting);
  const value = body.value === null ? null : parseSetting(key, body.value);
  const answer = await write(async (tx) => {
    await change(tx, caller, { key, value, reason: body.reason, seenVersion });
    const last = (await tx.listSettings()).find((one) => one.key === key) ?? null;
    return presentSetting(key, deps.settings, last);
  });
  deps.wake();
  return answer;
};
