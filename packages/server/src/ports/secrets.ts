/** Secrets of definitions: named there, read where they are used, kept nowhere. */

/** The key, or why there is none; never a part of it. */
export type SecretReading =
  | { readonly isThere: true; readonly key: Uint8Array }
  | { readonly isThere: false; readonly message: string };

export interface Secrets {
  /** `env:STELLA_SECRET_…` or `file:/…`, read anew each time. Never rejects. */
  read(reference: string): Promise<SecretReading>;
}
