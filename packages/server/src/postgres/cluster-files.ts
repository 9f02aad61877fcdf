/** The files of the cluster that are ours to write: its settings, who may connect, and as whom. */

/** Connections of everything together: the server's pool, its workers' sessions, an operator. */
export const CONNECTIONS_MAX = 60;

export const OWNER_ROLE = 'stella_owner';
export const APP_ROLE = 'stella_app';
export const DATABASE_NAME = 'stella';
export const SUPERUSER = 'postgres';

/** Safe first (fsync stays on, pages are summed), sized for a small machine. */
export function clusterSettings(socketDirectory: string): string {
  return `# Written by stella at each start; changes are lost.
listen_addresses = ''
unix_socket_directories = '${socketDirectory.replaceAll("'", "''")}'
unix_socket_permissions = 0700
max_connections = ${CONNECTIONS_MAX}
shared_buffers = 128MB
max_wal_size = 1GB
checkpoint_timeout = 15min
wal_compression = on
log_destination = stderr
log_min_messages = warning
log_line_prefix = '%m [%p] '
log_connections = off
timezone = UTC
log_timezone = UTC
autovacuum_naptime = 15s
`;
}

/** Only through the socket, only as a role that the map gives to the caller's own user. */
export const HOST_RULES = 'local all all peer map=stella\n';

/** `withSuperuser`: only while the cluster is being set up. */
export function userMap(clientName: string, withSuperuser: boolean): string {
  const roles = [OWNER_ROLE, APP_ROLE, ...(withSuperuser ? [SUPERUSER] : [])];
  return roles.map((role) => `stella "${clientName.replaceAll('"', '""')}" ${role}\n`).join('');
}
