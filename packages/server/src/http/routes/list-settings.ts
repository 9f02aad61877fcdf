/** `GET /settings` */
import { SETTING_KEYS } from '@stella/domain';
import { presentSetting } from '../present/present-setting.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listSettings: RouteHandler<'listSettings'> = async ({ reads, settings }) => {
  const changes = await reads.listSettings();
  const lastOf = (key: string) => changes.find((change) => change.key === key) ?? null;
  return { items: SETTING_KEYS.map((key) => presentSetting(key, settings, lastOf(key))) };
};
