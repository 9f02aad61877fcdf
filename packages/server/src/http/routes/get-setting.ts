/** `GET /settings/{setting}` */
import { settingKeyOf } from '@stella/domain';
import { presentSetting } from '../present/present-setting.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getSetting: RouteHandler<'getSetting'> = async ({ reads, settings }, { parameters, setEtag }) => {
  const key = settingKeyOf(parameters.setting);
  const change = (await reads.listSettings()).find((one) => one.key === key) ?? null;
  setEtag(`"v${change?.version ?? 0}"`);
  return presentSetting(key, settings, change);
};
