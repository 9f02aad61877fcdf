/** `GET /settings/{setting}/changes`, newest first */
import { findSettingKey } from '../find-setting-key.ts';
import { presentSettingChange } from '../present/present-setting.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listSettingChanges: RouteHandler<'listSettingChanges'> = async ({ reads }, { parameters, query }) => {
  const { limit, cursor = null } = query;
  const page = await reads.listSettingChanges(await findSettingKey(reads, parameters.setting), { limit, cursor });
  return { items: page.rows.map(presentSettingChange), next: page.next };
};
