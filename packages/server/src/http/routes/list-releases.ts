/** `GET /releases` */
import { presentRelease } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listReleases: RouteHandler<'listReleases'> = async ({ reads }, { query }) => {
  const { rows, next } = await reads.listReleases({ limit: query.limit, cursor: query.cursor ?? null });
  return { items: rows.map(presentRelease), next };
};
