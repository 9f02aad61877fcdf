/** The file in which the command line keeps servers and tokens: `config.json`, 0600 or refused. */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '@stella/domain/client';

type Env = Readonly<Record<string, string | undefined>>;

export interface ServerContext {
  readonly server: string;
  readonly token: string;
}

export interface ClientConfig {
  readonly current: string;
  readonly contexts: Readonly<Record<string, ServerContext>>;
}

const OTHERS_MAY = 0o077;

export function configPath(env: Env): string {
  if (env['STELLA_CONFIG']) return env['STELLA_CONFIG'];
  const home = env['HOME'] ?? homedir();
  return join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'stella', 'config.json');
}

/** Null when there is none. Errors: `cli.config_mode`, `cli.usage` when it is no such file. */
export function readClientConfig(env: Env): ClientConfig | null {
  const path = configPath(env);
  const text = readPrivately(path);
  if (text === null) return null;
  try {
    const { current, contexts } = JSON.parse(text) as Partial<ClientConfig>;
    if (typeof current === 'string' && typeof contexts === 'object') return { current, contexts };
  } catch {
    // Falls through to the complaint.
  }
  throw new AppError('cli.usage', {
    details: { message: `${path} is not a configuration of stella` },
    hint: `remove it and run: stella auth login`,
  });
}

/** Adds or replaces one context and makes it the current one. Answers the path. */
export function writeContext(env: Env, name: string, context: ServerContext): string {
  const path = configPath(env);
  const known = readClientConfig(env);
  const config: ClientConfig = { current: name, contexts: { ...known?.contexts, [name]: context } };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  writeFileSync(draft, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
  return path;
}

/** A file that only its owner may read; null when there is none. Errors: `cli.config_mode`. */
export function readPrivately(path: string): string | null {
  let mode: number;
  try {
    ({ mode } = statSync(path));
  } catch {
    // It is not there.
    return null;
  }
  if ((mode & OTHERS_MAY) !== 0) {
    throw new AppError('cli.config_mode', { details: { path, mode: (mode & 0o777).toString(8) } });
  }
  return readFileSync(path, 'utf8');
}
