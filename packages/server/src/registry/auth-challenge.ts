/** `WWW-Authenticate` → what a registry asks for (RFC 9110, section 11.6.1; distribution-spec, "Token Authentication"). Pure. */

export type AuthChallenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      /** The token server, as the registry names it; not checked yet. */
      readonly realm: string;
      readonly service: string | null;
    };

/** A longer header is cut: no registry needs it. */
const HEADER_LENGTH_MAX = 4_096;
const PART = /([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+)))?/g;

/** Of several challenges the one that we take: a token before a password. Null: none that we know. */
export function parseChallenge(header: string | undefined): AuthChallenge | null {
  const challenges: { readonly scheme: string; readonly parameters: Map<string, string> }[] = [];
  for (const [, name = '', quoted, plain] of (header ?? '').slice(0, HEADER_LENGTH_MAX).matchAll(PART)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  const bearer = challenges.find((one) => one.scheme === 'bearer')?.parameters;
  const realm = bearer?.get('realm');
  if (realm !== undefined) return { scheme: 'bearer', realm, service: bearer?.get('service') ?? null };
  return challenges.some((one) => one.scheme === 'basic') ? { scheme: 'basic' } : null;
}
