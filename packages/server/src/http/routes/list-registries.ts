/** `GET /registries` */
import { presentRegistry } from '../present/present-registry.ts';
import type { RouteHandler } from '../route-handler.ts';

export const listRegistries: RouteHandler<'listRegistries'> = async ({ reads }) => ({
  items: (await reads.listRegistries()).map(presentRegistry),
});
