/** `GET /openapi.json` */
import { describeApi } from '@stella/contract';
import type { RouteHandler } from '../route-handler.ts';

export const getApiDescription: RouteHandler<'getApiDescription'> = ({ about }) =>
  Promise.resolve(describeApi(about.version));
