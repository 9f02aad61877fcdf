/** `GET /settings/{setting}` */
import { findSettingKey } from '../find-setting-key.ts';
import { presentSetting } from '../present/present-setting.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getSetting: RouteHandler<'getSetting'> = async ({ reads, settings }, { parameters, setEtag }) => {
  const key = await findSettingKey(reads, parameters.setting);
  const change = (await reads.listSettings()).find((one) => one.key === key) ?? null;
  setEtag(`"v${change?.version ?? 0}"`);
  return presentSetting(key, settings, change);
};
