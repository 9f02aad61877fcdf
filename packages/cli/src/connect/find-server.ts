/**
 * Which server, with which token: flag, then environment, then configuration file, then a server on this machine, which
 * needs no configuration at all.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError } from '@stella/domain/client';
import type { GlobalOptions } from '../command.ts';
import { readClientConfig, readPrivately } from './client-config.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface FoundServer {
  readonly server: string;
  /** Null: none is known; then only public routes can be asked. */
  readonly token: string | null;
}

/** What a server on this machine has written into its data directory. */
export interface LocalServer {
  readonly url: string;
  readonly dataDir: string;
  readonly adminTokenFile: string;
  readonly recoveryKeyFile: string;
}

/** Errors: `cli.usage` when there is nothing to go by, `cli.config_mode`. */
export function findServer(globals: GlobalOptions, env: Env): FoundServer {
  const { given, context } = readGiven(globals, env);
  const local = findLocalServer(env, localDataDir(env));
  const server = given ?? context?.server ?? local?.url;
  if (server === undefined) {
    throw new AppError('server.unreachable', {
      details: { server: 'this machine', message: 'no server is configured, and none runs here' },
    });
  }
  return { server: checkUrl(server), token: findToken(globals, env, { server, context, local }) };
}

/** By flag, environment or configuration file; null when none is: then a server of this machine counts. */
export function configuredServer(globals: GlobalOptions, env: Env): string | null {
  const { given, context } = readGiven(globals, env);
  const server = given ?? context?.server;
  return server === undefined ? null : checkUrl(server);
}

function readGiven(
  globals: GlobalOptions,
  env: Env,
): { readonly given: string | undefined; readonly context: FoundServer | undefined } {
  const config = readClientConfig(env);
  const contextName = globals.context ?? env['STELLA_CONTEXT'] ?? config?.current;
  const context = contextName === undefined ? undefined : config?.contexts[contextName];
  if (contextName !== undefined && contextName !== config?.current && !context) {
    const known = Object.keys(config?.contexts ?? {}).join(', ') || 'none';
    throw new AppError('cli.usage', { details: { message: `no context "${contextName}"; known: ${known}` } });
  }
  return { given: globals.server ?? env['STELLA_SERVER'], context };
}

interface Known {
  readonly server: string;
  readonly context: FoundServer | undefined;
  readonly local: LocalServer | null;
}

function findToken(globals: GlobalOptions, env: Env, { server, context, local }: Known): string | null {
  const file = globals.tokenFile ?? env['STELLA_TOKEN_FILE'];
  if (file !== undefined) {
    const text = readPrivately(file);
    if (text === null) throw new AppError('cli.usage', { details: { message: `there is no token file ${file}` } });
    return text.trim();
  }
  // A token is sent only to the server that it was given for.
  if (context && context.server === server) return context.token;
  if (local && local.url === server) return readOwn(join(local.dataDir, local.adminTokenFile));
  return null;
}

/** Null when there is none, or when it belongs to another user. */
function readOwn(path: string): string | null {
  try {
    return readPrivately(path)?.trim() ?? null;
  } catch (error) {
    if (error instanceof AppError) throw error;
    // Not ours to read: then there is no token.
    return null;
  }
}

/** The data directory that `orch serve` would take with this `--data-dir`. */
export function localDataDir(env: Env, given?: string): string {
  const isRoot = process.getuid?.() === 0;
  const home = env['HOME'] ?? homedir();
  const standard = isRoot ? '/var/lib/stella' : join(home, '.local', 'share', 'stella');
  return resolve(given ?? env['STELLA_DATA_DIR'] ?? standard);
}

/** The server of that data directory. */
export function findLocalServer(env: Env, dataDir = localDataDir(env)): LocalServer | null {
  try {
    // Written by the server, which alone writes there.
    const file = JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as Omit<LocalServer, 'dataDir'>;
    return { url: file.url, dataDir, adminTokenFile: file.adminTokenFile, recoveryKeyFile: file.recoveryKeyFile };
  } catch {
    // No server runs there, or it is not ours to see.
    return null;
  }
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return text;
  throw new AppError('cli.usage', { details: { message: `"${text}" is not a server; expected http(s)://host:port` } });
}
