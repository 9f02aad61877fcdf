/** Secrets of definitions: named there, read where they are used, kept nowhere. */

/** The key, or why there is none; never a part of it. */
export type SecretReading =
  | { readonly isThere: true; readonly key: Uint8Array }
  | { readonly isThere: false; readonly message: string };

/** A password as it is, or why there is none; never a part of it. */
export type PasswordReading =
  | { readonly isThere: true; readonly password: string }
  | { readonly isThere: false; readonly message: string };

/** Certificates in PEM and nothing else of the file, or why there are none. */
export type CertificatesReading =
  | { readonly isThere: true; readonly pem: string }
  | { readonly isThere: false; readonly message: string };

/** A private key as it is in its file, or why there is none; never a part of it. */
export type PrivateKeyReading =
  | { readonly isThere: true; readonly text: string }
  | { readonly isThere: false; readonly message: string };

export interface Secrets {
  /** `env:STELLA_SECRET_…` or `file:/…`, read anew each time. Never rejects. */
  read(reference: string): Promise<SecretReading>;
  /** Likewise, of one line and any length. */
  readPassword(reference: string): Promise<PasswordReading>;
  /** Likewise: the certificates of a bundle. */
  readCertificates(reference: string): Promise<CertificatesReading>;
  /** Likewise, of several lines; whether it is a key is for whoever uses it to say. */
  readPrivateKey(reference: string): Promise<PrivateKeyReading>;
}
