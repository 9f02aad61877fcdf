/**
 * Secrets from variables of this process and from files. `whsec_` is followed by base64, as Standard Webhooks writes keys;
 * anything else is the key's own bytes.
 */
import { parseSecretReference } from '@stella/domain';
import type { FileSystem } from '../ports/file-system.ts';
import type { SecretReading, Secrets } from '../ports/secrets.ts';

/** Standard Webhooks asks for 24 to 64 bytes; a longer one does no harm. */
const KEY_BYTES_MIN = 24;
const FILE_BYTES_MAX = 4_096;
const KEY_PREFIX = 'whsec_';

export interface SecretDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fileSystem: Pick<FileSystem, 'stat' | 'readFile'>;
}

export function makeSecrets(deps: SecretDeps): Secrets {
  return {
    async read(reference) {
      const place = parseSecretReference(reference);
      if (place === null) return missing('it is no reference to a secret');
      if (place.kind === 'file') return readFile(deps, place.path);
      const text = deps.env[place.name];
      return text === undefined ? missing(`the server has no variable ${place.name}`) : toKey(text);
    },
  };
}

/** A link is followed: secrets of Kubernetes are links. */
async function readFile({ fileSystem }: SecretDeps, path: string): Promise<SecretReading> {
  try {
    const stat = await fileSystem.stat(path);
    if (!stat.isFile()) return missing(`${path} is not a file`);
    if (stat.size > FILE_BYTES_MAX) return missing(`${path} is larger than ${FILE_BYTES_MAX} bytes`);
    return toKey(await fileSystem.readFile(path, 'utf8'));
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

function missing(message: string): SecretReading {
  return { isThere: false, message };
}
