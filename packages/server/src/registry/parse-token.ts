/** The answer of a token server → the token (distribution-spec, "Token Authentication", Token Response Fields). Pure. */
import { AppError, parseStrictJson } from '@stella/domain';

/** What a token without a word about its time lasts, by the specification. */
const LASTS_S_STANDARD = 60;
/** What is said to last longer is asked for anew all the same: a revoked one should not be kept for days. */
const LASTS_S_MAX = 3_600;
/** RFC 6750, section 2.1, b68token: what may stand in a header. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,32768}=*$/;

/** Throws `registry.unreachable`, which repeats nothing of the answer. */
export function parseToken(body: Uint8Array, registry: string): { readonly token: string; readonly lastsMs: number } {
  const refuse = (): AppError => {
    const message = 'its token server answered no token';
    return new AppError('registry.unreachable', { details: { registry, message } });
  };
  const answer = parseStrictJson(body, refuse);
  if (typeof answer !== 'object' || answer === null) throw refuse();
  // Each member is looked at before it is used. The second name is that of OAuth 2.0; either is enough.
  const { token, access_token: accessToken, expires_in: lastsS } = answer as Readonly<Record<string, unknown>>;
  const found = token ?? accessToken;
  if (typeof found !== 'string' || !TOKEN.test(found)) throw refuse();
  const isSaid = typeof lastsS === 'number' && lastsS > 0;
  return { token: found, lastsMs: Math.min(isSaid ? lastsS : LASTS_S_STANDARD, LASTS_S_MAX) * 1_000 };
}
