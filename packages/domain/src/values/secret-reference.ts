/** Where a secret is, never the secret itself: what a definition may hold, show and hash. */

/** No other variable of the server can be named by a definition. */
export const SECRET_VARIABLE_PREFIX = 'STELLA_SECRET_';

const FORM = /^(?:env:(STELLA_SECRET_[A-Z0-9_]{1,64})|file:(\/[^\0]{1,500}))$/;

export type SecretPlace =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly path: string };

/** `env:STELLA_SECRET_CAB`, `file:/etc/stella/cab`; null for anything else. */
export function parseSecretReference(text: string): SecretPlace | null {
  const [, name, path] = FORM.exec(text) ?? [];
  if (name !== undefined) return { kind: 'env', name };
  return path === undefined ? null : { kind: 'file', path };
}
