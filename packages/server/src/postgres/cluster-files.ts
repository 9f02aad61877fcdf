/**
 * The embedded PostgreSQL's settings, as text of its three files. Who may connect: the operating system's user of the
 * server, and root, by `peer` (the kernel says who asks); as one of our two roles and never as the superuser.
 */
import type { Layout } from './layout.ts';

export const OWNER_ROLE = 'stella_owner';
export const APP_ROLE = 'stella_app';
export const DATABASE_NAME = 'stella';

/** A server's pools need 30; the rest is for people with a client and for a second server during an upgrade. */
const CONNECTION_COUNT_MAX = 60;

export interface SettingsFiles {
  readonly settings: string;
  readonly hba: string;
  readonly ident: string;
}

/** `clientUsers`: names of the operating system's users that may connect, such as `root`. */
export function writeSettings(layout: Layout, clientUsers: readonly string[]): SettingsFiles {
  const settings = Object.entries(settingsOf(layout)).map(([name, value]) => `${name} = ${quote(value)}`);
  const ident = [...new Set(clientUsers)].flatMap((user) =>
    [OWNER_ROLE, APP_ROLE].map((role) => `stella ${quoteName(user)} ${role}`),
  );
  return {
    settings: lines(['# Written by stella at each start; changes here are lost.', ...settings]),
    hba: lines([`local all ${OWNER_ROLE},${APP_ROLE} peer map=stella`]),
    ident: lines(ident),
  };
}

function settingsOf(layout: Layout): Readonly<Record<string, string>> {
  return {
    listen_addresses: '',
    unix_socket_directories: quoteListEntry(layout.socketDirectory),
    unix_socket_permissions: '0700',
    max_connections: String(CONNECTION_COUNT_MAX),
    // Durable: what was acknowledged is on the disk.
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    // For a backup by pg_backup_start and the archive of files; nobody replicates from here.
    wal_level: 'replica',
    max_wal_senders: '0',
    max_wal_size: '512MB',
    checkpoint_timeout: '15min',
    checkpoint_warning: '0',
    // For a machine of 2 cores and little memory, with many small transactions and few large queries.
    shared_buffers: '64MB',
    work_mem: '4MB',
    maintenance_work_mem: '64MB',
    effective_cache_size: '512MB',
    max_worker_processes: '4',
    max_parallel_workers_per_gather: '0',
    io_method: 'sync',
    jit: 'off',
    // Queue rows are updated often; dead ones are cleared early.
    autovacuum_naptime: '15s',
    autovacuum_max_workers: '2',
    // A session whose program died without a word is ended while its statement still runs.
    client_connection_check_interval: '1s',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // To stderr, which is the log file; the server bounds its size.
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] ',
    log_checkpoints: 'off',
    log_parameter_max_length: '0',
    log_parameter_max_length_on_error: '0',
  };
}

function quote(value: string): string {
  return `'${value.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`;
}

/** A list entry is cut at commas unless it is quoted. */
function quoteListEntry(entry: string): string {
  return `"${entry.replace(/"/g, '""')}"`;
}

function quoteName(name: string): string {
  return `"${name.replace(/"/g, '""')}"`;
}

function lines(texts: readonly string[]): string {
  return `${texts.join('\n')}\n`;
}
