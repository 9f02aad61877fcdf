/** Error codes: start-up and environment of the server. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const SERVER_CODES = {
  'config.invalid': entry('InvalidInput', 'the setting {name} is invalid: {message}', 'correct it and start again'),
  'data_dir.owned': entry(
    'Conflict',
    'the data directory {directory} belongs to the running server with pid {pid}',
    'use that server, stop it, or choose another directory with --data-dir',
  ),
  'data_dir.unusable': entry(
    'Unavailable',
    'the data directory {directory} cannot be used: {message}',
    'choose another with --data-dir, or give a database with STELLA_DATABASE_URL',
  ),
  'database.platform': entry(
    'Unavailable',
    'no embedded PostgreSQL for {platform}',
    'give a database with STELLA_DATABASE_URL',
  ),
  'database.socket_path': entry(
    'InvalidInput',
    'the socket path {path} has {bytes} bytes, PostgreSQL allows 107',
    'choose a shorter directory with --data-dir, or give a database with STELLA_DATABASE_URL',
  ),
  'database.uid': entry(
    'Unavailable',
    'the user id {uid} has no name on this machine, which initdb needs: {message}',
    'run as a user with a name, or give a database with STELLA_DATABASE_URL',
  ),
  'database.start': entry(
    'Unavailable',
    'the embedded PostgreSQL did not start: {message}',
    'read {logFile}, or give a database with STELLA_DATABASE_URL',
  ),
  'database.schema_newer': entry(
    'Conflict',
    'the database has schema {found}, this program knows {known}',
    'start the newer version of stella',
  ),
  'database.version': entry(
    'Unavailable',
    'PostgreSQL {found} is not supported; 15 to 18 are',
    'use a supported version',
  ),
  'database.unavailable': entry(
    'Unavailable',
    'the database does not answer: {message}',
    'wait a moment and try again; see: stella orch status',
  ),
  'server.insecure_listen': entry(
    'InvalidInput',
    'listening on {address} would send tokens in clear text',
    'pass --tls-cert and --tls-key, listen on 127.0.0.1, or pass --insecure-listen',
  ),
  'server.address_in_use': entry(
    'Conflict',
    'the address {address} is in use',
    'stop the other program or pass --listen',
  ),
  'server.unreachable': entry(
    'Unavailable',
    'cannot reach the server at {server}: {message}',
    'start it with: stella orch serve, or pass --server',
  ),
  'server.version': entry(
    'Unprocessable',
    'what answers there speaks API {found}, this client speaks {known}',
    'check the address; use a client of the same major version',
  ),
  'request.timeout': entry('Unavailable', 'no answer within {timeoutMs} ms', 'try again, or pass --timeout'),
} as const satisfies Record<string, ErrorEntry>;
