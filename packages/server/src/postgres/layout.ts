/**
 * Where the embedded PostgreSQL keeps what, below the data directory:
 *
 * `postgres-bin/<version>/` programs and libraries · `postgres/` the cluster · `postgres-config/` settings, written anew
 * at each start · `run/` the socket · `postgres.log`. Cluster and socket belong to the user that PostgreSQL runs as,
 * all else to the server's own, which as root never writes into a directory of another user.
 */
import { join } from 'node:path';
import { AppError } from '@stella/domain';

/** Part of the socket's name; PostgreSQL listens on no network. */
const PORT = 5432;
/** `sun_path` of `struct sockaddr_un` has 108 bytes on Linux and ends with a zero byte (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
/** macOS: 104 with the zero byte. */
const SOCKET_PATH_BYTES_MAX_DARWIN = 103;

export interface Layout {
  /** Without symbolic links, as the kernel names the paths of processes. */
  readonly dataDirectory: string;
  readonly binaries: string;
  readonly cluster: string;
  /** The cluster while it is being made; renamed when it is whole. */
  readonly clusterDraft: string;
  readonly config: string;
  readonly socketDirectory: string;
  readonly socketPath: string;
  readonly logFile: string;
}

export interface LayoutOptions {
  /** Another path of the data directory, by which the socket is named: a symbolic link may make a long one short. */
  readonly shortPath: string;
  /** `linux-x64` */
  readonly platform: string;
}

/** Errors: `database.socket_path`. */
export function layOut(dataDirectory: string, { shortPath, platform }: LayoutOptions): Layout {
  const socketDirectory = join(shortPath, 'run');
  const socketPath = join(socketDirectory, `.s.PGSQL.${PORT}`);
  const bytes = Buffer.byteLength(socketPath);
  const bytesMax = platform.startsWith('darwin') ? SOCKET_PATH_BYTES_MAX_DARWIN : SOCKET_PATH_BYTES_MAX;
  if (bytes > bytesMax) {
    throw new AppError('database.socket_path', { details: { path: socketPath, bytes, bytesMax } });
  }
  return {
    dataDirectory,
    binaries: join(dataDirectory, 'postgres-bin'),
    cluster: join(dataDirectory, 'postgres'),
    clusterDraft: join(dataDirectory, 'postgres-draft'),
    config: join(dataDirectory, 'postgres-config'),
    socketDirectory,
    socketPath,
    logFile: join(dataDirectory, 'postgres.log'),
  };
}
