/** The server's certificate and key: read and checked at the start, and read again when they were renewed. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { AppError } from '@stella/domain';
import type { TlsFiles } from '../config/server-config.ts';
import type { TlsMaterial } from '../http/http-server.ts';
import type { Clock } from '../ports/clock.ts';
import type { FileSystem } from '../ports/file-system.ts';
import type { Logger } from '../ports/logger.ts';

/** Renewed files are found this soon; certificates are renewed days before they end. */
const RENEW_CHECK_MS = 60_000;

/** Throws `config.invalid`, naming the file that cannot be read, or that the two do not belong together. */
export async function readTlsFiles(fileSystem: FileSystem, { certFile, keyFile }: TlsFiles): Promise<TlsMaterial> {
  const read = async (name: string, file: string): Promise<Buffer> => {
    try {
      return await fileSystem.readFile(file);
    } catch (error) {
      // Node's own errors have a code.
      const { code } = error as NodeJS.ErrnoException;
      throw invalid(name, `${file} cannot be read (${code ?? 'unknown error'})`);
    }
  };
  const material = { cert: await read('STELLA_TLS_CERT', certFile), key: await read('STELLA_TLS_KEY', keyFile) };
  try {
    createSecureContext(material);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw invalid('STELLA_TLS_CERT', `${certFile} and ${keyFile} are no certificate with its key: ${message}`);
  }
  return material;
}

export interface TlsWatch {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly files: TlsFiles;
  readonly first: TlsMaterial;
  /** Takes effect for new connections. */
  readonly renew: (material: TlsMaterial) => void;
}

/** Looks every minute. Files that cannot be used are told, and those before stay in use. The answer ends it. */
export function watchTlsFiles({ fileSystem, clock, logger, files, first, renew }: TlsWatch): () => void {
  let current = first;
  let isOver = false;
  let cancel = (): void => undefined;
  const look = async (): Promise<void> => {
    try {
      const read = await readTlsFiles(fileSystem, files);
      if (!read.cert.equals(current.cert) || !read.key.equals(current.key)) {
        current = read;
        renew(read);
        logger.info({ validTo: validToOf(read) }, 'the certificate was renewed');
      }
    } catch (error) {
      logger.warn({ error }, 'the certificate could not be read again; the one before stays in use');
    }
    if (!isOver) schedule();
  };
  const schedule = (): void => {
    cancel = clock.schedule(RENEW_CHECK_MS, () => void look());
  };
  logger.info({ validTo: validToOf(first) }, 'serving TLS');
  schedule();
  return () => {
    isOver = true;
    cancel();
  };
}

function validToOf({ cert }: TlsMaterial): string {
  return new X509Certificate(cert).validTo;
}

function invalid(name: string, message: string): AppError {
  return new AppError('config.invalid', { details: { name, message } });
}
