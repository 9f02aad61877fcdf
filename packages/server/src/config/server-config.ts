/** Start-up configuration: `STELLA_*` variables and the flags of `orch serve`, checked before anything is started. */
import { isIP } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import {
  AppError,
  isAppError,
  nearestOf,
  parseSetting,
  SECRET_VARIABLE_PREFIX,
  SETTING_KEYS,
  type SettingKey,
  type Settings,
  STANDARD_SETTINGS,
} from '@stella/domain';

export const SERVER_ROLES = ['all', 'api', 'worker'] as const;
export type ServerRole = (typeof SERVER_ROLES)[number];
export const SERVER_MANAGERS = ['supervisor', 'systemd'] as const;
export type ManagedBy = (typeof SERVER_MANAGERS)[number];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export interface ServerConfig {
  readonly role: ServerRole;
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Null: clear text. */
  readonly tls: TlsFiles | null;
  /** How others reach the server; null: as it listens. */
  readonly url: string | null;
  /** Who starts it again when it ends; null: nobody. Set by `stella service`. */
  readonly manager: ManagedBy | null;
  /** Null: the embedded PostgreSQL. */
  readonly database: { readonly url: string; readonly ownerUrl: string } | null;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Directories below which targets may write, and below which image layouts may be read. Empty: none. */
  readonly targetDirectories: readonly string[];
  /** Sockets of Docker engines of this machine that targets may use; absolute. Whoever uses one is as good as root. */
  readonly engineSockets: readonly string[];
  readonly layoutDirectories: readonly string[];
  /** Below which programs of gates may lie. Empty: none is run. */
  readonly commandDirectories: readonly string[];
  /** The only directory whose files definitions may name as secrets. */
  readonly secretsDirectory: string;
  /** Ranges that gates, health checks and registries may be reached at. */
  readonly outgoingAllow: readonly string[];
  readonly settings: Settings;
}

/** PEM files: the certificate with its chain, and its key. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ServeFlags {
  readonly role?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly listen?: string | undefined;
  readonly insecureListen?: boolean | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly url?: string | undefined;
}

/** Facts of the process, passed in. */
export interface ServeProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
  readonly cwd: string;
}

export const LISTEN_STANDARD = '127.0.0.1:8484';
export const SECRETS_STANDARD = '/etc/stella/secrets';
const OUTGOING_STANDARD = ['127.0.0.0/8', '::1/128', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

const NAMES = [
  'STELLA_DATA_DIR',
  'STELLA_LISTEN',
  'STELLA_INSECURE_LISTEN',
  'STELLA_TLS_CERT',
  'STELLA_TLS_KEY',
  'STELLA_URL',
  'STELLA_ROLE',
  'STELLA_DATABASE_URL',
  'STELLA_DATABASE_OWNER_URL',
  'STELLA_LOG_LEVEL',
  'STELLA_TARGET_DIRECTORIES',
  'STELLA_ENGINE_SOCKETS',
  'STELLA_LAYOUT_DIRECTORIES',
  'STELLA_COMMAND_DIRECTORIES',
  'STELLA_SECRETS_DIRECTORY',
  'STELLA_OUTGOING_ALLOW',
  'STELLA_SERVICE_MANAGER',
] as const;

/** Read by the command line; known here so that they are no error. */
export const CLIENT_NAMES = [
  'STELLA_SERVER',
  'STELLA_TOKEN_FILE',
  'STELLA_CONTEXT',
  'STELLA_CONFIG',
  'STELLA_TIMEOUT',
] as const;

/** `'locks.timeout'` → `STELLA_LOCKS_TIMEOUT`. */
export function variableOf(key: SettingKey): string {
  return `STELLA_${key
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

/** Errors: `config.invalid`, `server.insecure_listen`. */
export function readServerConfig(flags: ServeFlags, { env, uid, home, cwd }: ServeProcess): ServerConfig {
  refuseUnknown(env);
  const role = wordOf('STELLA_ROLE', flags.role ?? env['STELLA_ROLE'] ?? 'all', SERVER_ROLES);
  const url = env['STELLA_DATABASE_URL'];
  if (url !== undefined) refuseBadUrl('STELLA_DATABASE_URL', url);
  const ownerUrl = env['STELLA_DATABASE_OWNER_URL'];
  if (ownerUrl !== undefined) refuseBadUrl('STELLA_DATABASE_OWNER_URL', ownerUrl);
  if (role === 'worker' && url === undefined) {
    throw invalid('STELLA_ROLE', 'a worker of its own needs STELLA_DATABASE_URL');
  }
  const standardDataDir = uid === 0 ? '/var/lib/stella' : join(home, '.local', 'share', 'stella');
  const tls = parseTls(flags.tlsCert ?? env['STELLA_TLS_CERT'], flags.tlsKey ?? env['STELLA_TLS_KEY'], cwd);
  const isInsecureAllowed = flags.insecureListen === true || env['STELLA_INSECURE_LISTEN'] === 'true';
  return {
    role,
    dataDir: resolve(cwd, flags.dataDir ?? env['STELLA_DATA_DIR'] ?? standardDataDir),
    listen: parseListen(flags.listen ?? env['STELLA_LISTEN'] ?? LISTEN_STANDARD, isInsecureAllowed || tls !== null),
    tls,
    manager: readManager(env['STELLA_SERVICE_MANAGER']),
    url: parseUrl(flags.url ?? env['STELLA_URL'] ?? null),
    database: url === undefined ? null : { url, ownerUrl: ownerUrl ?? url },
    logLevel: wordOf('STELLA_LOG_LEVEL', env['STELLA_LOG_LEVEL'] ?? 'info', LOG_LEVELS),
    targetDirectories: directoriesOf('STELLA_TARGET_DIRECTORIES', env['STELLA_TARGET_DIRECTORIES']),
    engineSockets: directoriesOf('STELLA_ENGINE_SOCKETS', env['STELLA_ENGINE_SOCKETS']),
    layoutDirectories: directoriesOf('STELLA_LAYOUT_DIRECTORIES', env['STELLA_LAYOUT_DIRECTORIES']),
    commandDirectories: directoriesOf('STELLA_COMMAND_DIRECTORIES', env['STELLA_COMMAND_DIRECTORIES']),
    secretsDirectory: directoryOf('STELLA_SECRETS_DIRECTORY', env['STELLA_SECRETS_DIRECTORY'] ?? SECRETS_STANDARD),
    outgoingAllow: env['STELLA_OUTGOING_ALLOW']?.split(',').map((one) => one.trim()) ?? OUTGOING_STANDARD,
    settings: readSettings(env),
  };
}

function readSettings(env: ServeProcess['env']): Settings {
  const given = SETTING_KEYS.flatMap((key): [SettingKey, number][] => {
    const text = env[variableOf(key)];
    if (text === undefined) return [];
    try {
      return [[key, parseSetting(key, text)]];
    } catch (error) {
      if (!isAppError(error)) throw error;
      throw invalid(variableOf(key), String(error.details['message']));
    }
  });
  return { ...STANDARD_SETTINGS, ...Object.fromEntries(given) };
}

/** An unknown name is a slip that would otherwise be found at night (safety S16). */
function refuseUnknown(env: ServeProcess['env']): void {
  const known: readonly string[] = [...NAMES, ...CLIENT_NAMES, ...SETTING_KEYS.map(variableOf)];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('STELLA_') || name.startsWith(SECRET_VARIABLE_PREFIX) || known.includes(name)) continue;
    const nearest = nearestOf(name, known);
    throw new AppError('config.invalid', {
      details: { name, message: 'there is no such variable', nearest },
      hint: nearest === null ? 'remove it and start again' : `did you mean ${nearest}?`,
    });
  }
}

function readManager(text: string | undefined): ManagedBy | null {
  return text === undefined ? null : wordOf('STELLA_SERVICE_MANAGER', text, SERVER_MANAGERS);
}

/** `127.0.0.1:8484`, `[::1]:8484`, `:0`. */
function parseListen(text: string, isInsecureAllowed: boolean): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3] ?? Number.NaN);
  if (!match || !Number.isInteger(port) || port > 65_535) {
    throw invalid('STELLA_LISTEN', `"${text}" is not an address; expected host:port`);
  }
  const address = host === '' ? '127.0.0.1' : host;
  if (!isLoopback(address) && !isInsecureAllowed) {
    throw new AppError('server.insecure_listen', { details: { address: text } });
  }
  return { host: address, port };
}

function parseTls(cert: string | undefined, key: string | undefined, cwd: string): TlsFiles | null {
  if (cert === undefined && key === undefined) return null;
  if (cert === undefined) throw invalid('STELLA_TLS_CERT', 'a key alone is no use: the certificate is missing');
  if (key === undefined) throw invalid('STELLA_TLS_KEY', 'a certificate alone is no use: its key is missing');
  return { certFile: resolve(cwd, cert), keyFile: resolve(cwd, key) };
}

function parseUrl(text: string | null): string | null {
  if (text === null) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/') return url.origin;
  throw invalid('STELLA_URL', `"${text}" is not the address of a server; expected https://host:port`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `/srv/web:/var/www` */
function directoriesOf(name: string, text: string | undefined): readonly string[] {
  if (text === undefined || text === '') return [];
  return text.split(':').map((directory) => directoryOf(name, directory));
}

function directoryOf(name: string, directory: string): string {
  if (!isAbsolute(directory)) throw invalid(name, `"${directory}" is not an absolute directory`);
  return resolve(directory);
}

function refuseBadUrl(name: string, url: string): void {
  // The URL may hold a password: it is not shown.
  if (!/^postgres(?:ql)?:\/\/\S+$/.test(url)) throw invalid(name, 'expected postgres://user@host:port/database');
}

function wordOf<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((one) => one === text);
  if (word !== undefined) return word;
  throw invalid(name, `"${text}" is none of ${words.join(', ')}`);
}

function invalid(name: string, message: string): AppError {
  return new AppError('config.invalid', { details: { name, message } });
}
