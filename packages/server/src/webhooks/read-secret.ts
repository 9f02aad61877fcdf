/**
 * Secrets from variables of this process and from files of one directory. `whsec_` is followed by base64, as Standard Webhooks writes keys;
 * anything else is the key's own bytes.
 */
import { resolve } from 'node:path';
import { parseSecretReference } from '@stella/domain';
import { type Clock, endWithin } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { CertificatesReading, PasswordReading, SecretReading, Secrets } from '../ports/secrets.ts';
import { isWithin, isWithinAny } from '../ports/within.ts';

/** A key of RSA with 16,384 bits is below. */
const KEY_FILE_BYTES_MAX = 16_384;
/** Standard Webhooks asks for 24 to 64 bytes; a longer one does no harm. */
const KEY_BYTES_MIN = 24;
const FILE_BYTES_MAX = 4_096;
/** A file of some kilobytes; a disk that needs longer hangs, and nobody waits for it at night. */
const READ_TIMEOUT_MS = 5_000;
/** A bundle of the world's authorities has 220 KiB. */
const BUNDLE_BYTES_MAX = 1_048_576;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const KEY_PREFIX = 'whsec_';

export interface SecretDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fileSystem: Pick<FileSystem, 'realpath' | 'stat' | 'readFile'>;
  readonly clock: Clock;
  /** Below it the files of `file:` lie. */
  readonly directory: string;
}

export function makeSecrets(deps: SecretDeps): Secrets {
  return {
    async read(reference) {
      const found = await readText(deps, reference);
      return found.isThere ? toKey(found.text) : found;
    },
    async readPassword(reference) {
      const found = await readText(deps, reference);
      return found.isThere ? toPassword(found.text) : found;
    },
    async readCertificates(reference) {
      const found = await readText(deps, reference, BUNDLE_BYTES_MAX);
      return found.isThere ? toCertificates(found.text) : found;
    },
    readPrivateKey: (reference) => readText(deps, reference, KEY_FILE_BYTES_MAX),
  };
}

interface Missing {
  readonly isThere: false;
  readonly message: string;
}

type TextReading = { readonly isThere: true; readonly text: string } | Missing;

async function readText(deps: SecretDeps, reference: string, bytesMax = FILE_BYTES_MAX): Promise<TextReading> {
  const place = parseSecretReference(reference);
  if (place === null) return missing('it is no reference to a secret');
  if (place.kind === 'file') {
    return endWithin(
      deps.clock,
      { deadlineMs: READ_TIMEOUT_MS, signal: new AbortController().signal },
      () => readFile(deps, place.path, bytesMax),
      () => missing(`${place.path} was not read within ${READ_TIMEOUT_MS} ms`),
    );
  }
  const text = deps.env[place.name];
  return text === undefined ? missing(`the server has no variable ${place.name}`) : { isThere: true, text };
}

/**
 * A definition is written by people who may not read every file of the server: only what lies below the one directory is
 * read. A link is followed, for secrets of Kubernetes are links, but not out of it.
 */
async function readFile({ fileSystem, directory }: SecretDeps, path: string, bytesMax: number): Promise<TextReading> {
  try {
    const root = await fileSystem.realpath(directory).catch(() => directory);
    // By the written path first, so that nobody learns from the answer what exists elsewhere.
    if (!isWithinAny(resolve(path), [directory, root])) {
      return missing(`${path} is outside of ${directory}, the directory of secrets (STELLA_SECRETS_DIRECTORY)`);
    }
    const real = await fileSystem.realpath(path);
    if (!isWithin(real, root)) return missing(`${path} leads out of ${directory}, the directory of secrets`);
    const stat = await fileSystem.stat(real);
    if (!stat.isFile()) return missing(`${path} is not a file`);
    if (stat.size > bytesMax) return missing(`${path} is larger than ${bytesMax} bytes`);
    return { isThere: true, text: await fileSystem.readFile(real, 'utf8') };
  } catch (error) {
    // Node's own errors have a code; the message says no more than code and path.
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return missing(`${path} cannot be read (${code})`);
  }
}

function toKey(text: string): SecretReading {
  const trimmed = text.trim();
  const key = trimmed.startsWith(KEY_PREFIX)
    ? Buffer.from(trimmed.slice(KEY_PREFIX.length), 'base64')
    : Buffer.from(trimmed, 'utf8');
  return key.length < KEY_BYTES_MIN
    ? missing(`it is shorter than ${KEY_BYTES_MIN} bytes, which can be guessed`)
    : { isThere: true, key };
}

/** One line: a reference to a key or a list of accounts is a slip, and is sent to nobody. */
function toPassword(text: string): PasswordReading {
  const password = text.replace(/\r?\n$/, '');
  return password === '' || /\p{Cc}/u.test(password)
    ? missing('it is empty, or has more than one line')
    : { isThere: true, password };
}

/** What is no certificate stays here: a reference to a key by mistake is handed to nobody. */
function toCertificates(text: string): CertificatesReading {
  const found = text.match(CERTIFICATE) ?? [];
  return found.length === 0
    ? missing('it holds no certificate in PEM')
    : { isThere: true, pem: `${found.join('\n')}\n` };
}

function missing(message: string): Missing {
  return { isThere: false, message };
}
