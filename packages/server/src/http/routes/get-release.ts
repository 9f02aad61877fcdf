/** `GET /releases/{release}`: by name, id or unique start of the id. */
import { presentRelease } from '../present/present-rows.ts';
import type { RouteHandler } from '../route-handler.ts';

export const getRelease: RouteHandler<'getRelease'> = async ({ reads }, { parameters, setEtag }) => {
  const release = await reads.findRelease(parameters.release);
  setEtag(`"${release.id}"`);
  return presentRelease(release);
};
