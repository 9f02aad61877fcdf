/**
 * How the orchestrator of a data directory is started: who manages it, and the `STELLA_*` variables that it gets. They are
 * written down at the installation, so that whoever restarts it at night need not know them; but for secrets, which are
 * copied from nobody's environment to a disk: a person writes those into a file beside it, or names files instead. The
 * files' form is what systemd's `EnvironmentFile` and Node's own parser both read.
 */
import { parseEnv } from 'node:util';
import { AppError, SECRET_VARIABLE_PREFIX } from '@stella/domain';
import { CLIENT_NAMES, SERVER_MANAGERS, type ManagedBy } from '../config/server-config.ts';
import type { FileSystem } from '../ports/file-system.ts';
import { makePlace, readObject, replaceText, type ServicePlace } from './service-place.ts';

type Variables = Readonly<Record<string, string>>;

/** Given otherwise: the data directory as a flag, the manager by the manager. */
const NOT_WRITTEN: ReadonlySet<string> = new Set([...CLIENT_NAMES, 'STELLA_DATA_DIR', 'STELLA_SERVICE_MANAGER']);

export interface Installation {
  readonly manager: ManagedBy;
  readonly variables: Variables;
}

export interface StoredInstallation extends Installation {
  /** `STELLA_SECRET_…`, of the file that a person wrote. */
  readonly secrets: Variables;
}

/** Those of `env` that a server reads, but for secrets. */
export function serverVariables(env: Readonly<Record<string, string | undefined>>): Variables {
  return pick(env, (name) => name.startsWith('STELLA_') && !isSecret(name) && !NOT_WRITTEN.has(name));
}

/** Those of `env` that definitions may name. */
export function secretVariables(env: Readonly<Record<string, string | undefined>>): Variables {
  return pick(env, isSecret);
}

function isSecret(name: string): boolean {
  return name.startsWith(SECRET_VARIABLE_PREFIX);
}

function pick(
  env: Readonly<Record<string, string | undefined>>,
  isWanted: (name: string) => boolean,
): Readonly<Record<string, string>> {
  const entries = Object.entries(env)
    .flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]))
    .filter(([name]) => isWanted(name));
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** Null when nothing was installed for this data directory. */
export async function readInstallation(
  fileSystem: FileSystem,
  place: ServicePlace,
): Promise<StoredInstallation | null> {
  const manager = (await readObject(fileSystem, place.installFile))?.['manager'];
  const known = SERVER_MANAGERS.find((one) => one === manager);
  if (known === undefined) return null;
  const text = await fileSystem.readFile(place.environmentFile, 'utf8').catch(() => '');
  return {
    manager: known,
    variables: serverVariables(parseEnv(text)),
    secrets: await readSecrets(fileSystem, place),
  };
}

/** Of the file that a person wrote; none when there is none. */
export async function readSecrets(fileSystem: FileSystem, { secretsFile }: ServicePlace): Promise<Variables> {
  return secretVariables(parseEnv(await fileSystem.readFile(secretsFile, 'utf8').catch(() => '')));
}

/** Replaces what was installed before. Errors: `config.invalid` for a value that the file cannot hold. */
export async function writeInstallation(
  fileSystem: FileSystem,
  place: ServicePlace,
  { manager, variables }: Installation,
): Promise<void> {
  const text = formatVariables(variables);
  await makePlace(fileSystem, place);
  await replaceText(fileSystem, place.environmentFile, text);
  await replaceText(fileSystem, place.installFile, `${JSON.stringify({ manager })}\n`);
}

const HEADER = `# What the orchestrator is started with; "stella service install orchestrator" writes it anew.
# After a change by hand: stella service restart orchestrator
`;

/** Both readers take a value in single quotes as it is; none of the characters they disagree about is let in. */
export function formatVariables(variables: Variables): string {
  const lines = Object.entries(variables).map(([name, value]) => {
    if (/['"\\`\r\n\0]/.test(value)) {
      const message = 'a service cannot be given a value with a quote, a backslash or a line break';
      throw new AppError('config.invalid', { details: { name, message } });
    }
    return `${name}='${value}'\n`;
  });
  return `${HEADER}${lines.join('')}`;
}

/** Names of variables that differ, for a word to who expects them to count. */
export function differences(left: Variables, right: Variables): readonly string[] {
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].filter((name) => left[name] !== right[name]).sort();
}
