/** `GET /version` */
import type { RouteHandler } from '../route-handler.ts';

export const getVersion: RouteHandler<'getVersion'> = ({ about }) =>
  Promise.resolve({ version: about.version, api: 'v1' });
