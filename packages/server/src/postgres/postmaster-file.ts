/**
 * `postmaster.pid`, which PostgreSQL keeps in its data directory: line 1 the pid, line 8 the status. Source: PostgreSQL's
 * `src/include/utils/pidfile.h`; `pg_ctl` waits by it as well.
 */
export type PostmasterStatus = 'starting' | 'ready' | 'stopping' | 'unknown';

export interface PostmasterFile {
  readonly pid: number;
  /** `unknown` until PostgreSQL has written the line. */
  readonly status: PostmasterStatus;
}

const STATUSES: readonly string[] = ['starting', 'ready', 'stopping'] satisfies PostmasterStatus[];

/** Null when the text is not such a file. A pid with a minus is a process in single-user mode. */
export function parsePostmasterFile(text: string): PostmasterFile | null {
  const lines = text.split('\n');
  const pidText = lines[0]?.trim() ?? '';
  if (!/^-?[1-9]\d{0,9}$/.test(pidText)) return null;
  const status = lines[7]?.trim() ?? '';
  return { pid: Math.abs(Number(pidText)), status: isStatus(status) ? status : 'unknown' };
}

function isStatus(text: string): text is PostmasterStatus {
  return STATUSES.includes(text);
}
