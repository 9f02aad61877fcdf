/**
 * Which host of the database's URL is used: of several, the primary. It is looked for when none is known yet and when the
 * known one fails, so that after a fail-over every process finds the new one by itself. Among several that all say that
 * they are the primary, the one with the newest timeline is: the others were replaced by it.
 */
import pg from 'pg';
import { AppError } from '@stella/domain';
import type { Logger } from '../ports/logger.ts';

/** All hosts are asked at once; one that does not even answer delays a fail-over by so much. */
const ASK_TIMEOUT_MS = 2_000;
const PORT_STANDARD = 5_432;
/** A list of hosts is short; a longer one is a slip. */
const HOSTS_MAX = 16;
/** What libpq calls a server that takes writes; `any` is its standard and asks for nothing. */
const WRITABLE_ATTRIBUTES: ReadonlySet<string> = new Set(['any', 'read-write', 'primary']);

/** Where a database is: a URL, which may name several hosts, or the socket directory of the embedded one. */
export type DatabaseAddress =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'socket'; readonly directory: string; readonly user: string; readonly database: string };

export interface DatabaseHost {
  /** `db-1.example:5432`; for errors and logs, so never with a password. */
  readonly name: string;
  readonly config: pg.ClientConfig;
}

export interface Primary {
  /**
   * Runs `open` for the host that is known as the primary; when it fails and there are others, looks for the primary and
   * runs it once more. Errors: `database.unavailable` naming what each host said, or those of `open`.
   */
  use<T>(open: (host: DatabaseHost) => Promise<T>): Promise<T>;
  /** The one that is known as the primary, or the first while none is. */
  current(): DatabaseHost;
  /** Rejects with `database.unavailable` when the server that `client` is connected to does not take writes. */
  check(client: pg.ClientBase, host: DatabaseHost): Promise<void>;
}

export function makePrimary(address: DatabaseAddress, logger: Logger): Primary {
  const hosts = hostsOf(address);
  const [first] = hosts;
  const hasOthers = hosts.length > 1;
  let used: DatabaseHost | null = hasOthers ? null : first;
  let search: Promise<DatabaseHost> | null = null;

  /** One search at a time: whoever asks meanwhile gets its answer. */
  const find = (): Promise<DatabaseHost> => {
    search ??= findPrimary(hosts)
      .then((host) => {
        if (used?.name !== host.name) logger.info({ host: host.name, before: used?.name ?? null }, 'primary found');
        used = host;
        return host;
      })
      .finally(() => {
        search = null;
      });
    return search;
  };

  return {
    async use(open) {
      if (!hasOthers && used) return open(used);
      const known = used ?? (await find());
      try {
        return await open(known);
      } catch (error) {
        if (isPoolFull(error)) throw error;
        logger.warn({ error, host: known.name }, 'the primary failed; looking for it among all hosts');
        return open(await find());
      }
    },
    current: () => used ?? first,
    async check(client, host) {
      const answer = await ask(client);
      if (answer.refusal !== null) throw unavailable(`${host.name} ${answer.refusal}`);
    },
  };
}

/** The pool's own words when all of its connections are busy, which says nothing about the host. */
function isPoolFull(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

interface HostAnswer {
  readonly host: DatabaseHost;
  /** Of a primary that takes writes; null otherwise. */
  readonly timeline: number | null;
  /** Why it is not used. */
  readonly refusal: string | null;
}

async function findPrimary(hosts: readonly DatabaseHost[]): Promise<DatabaseHost> {
  const answers = await Promise.all(hosts.map(askHost));
  // The first of the highest: `>` keeps the order of the URL among equals.
  let best: HostAnswer | null = null;
  for (const answer of answers) {
    if (answer.timeline !== null && answer.timeline > (best?.timeline ?? 0)) best = answer;
  }
  if (best) return best.host;
  const said = answers.map(({ host, refusal }) => `${host.name} ${refusal ?? 'said nothing'}`).join('; ');
  throw unavailable(`none of its hosts is a primary that takes writes: ${said}`);
}

async function askHost(host: DatabaseHost): Promise<HostAnswer> {
  const client = new pg.Client({
    ...host.config,
    application_name: 'stella search',
    connectionTimeoutMillis: ASK_TIMEOUT_MS,
    query_timeout: ASK_TIMEOUT_MS,
    statement_timeout: ASK_TIMEOUT_MS,
  });
  // Its connection may break at any moment; the query or the connect then fails, which is the answer.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return { host, ...(await ask(client)) };
  } catch (error) {
    return { host, timeline: null, refusal: `does not answer (${wordsOf(error)})` };
  } finally {
    client.end().catch(() => undefined);
  }
}

/** The timeline that is written now; the control file's lags behind a promotion until the next checkpoint. */
export const CURRENT_TIMELINE = `('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint`;

const ASK = `select pg_is_in_recovery() as is_standby, current_setting('transaction_read_only') = 'on' as is_read_only,
  (case when not pg_is_in_recovery() then ${CURRENT_TIMELINE} end)::text as timeline`;

async function ask(client: pg.ClientBase): Promise<Omit<HostAnswer, 'host'>> {
  const { rows } = await client.query<{ is_standby: boolean; is_read_only: boolean; timeline: string | null }>({
    text: ASK,
  });
  const [row] = rows;
  if (row?.is_standby) return { timeline: null, refusal: 'is a standby (pg_is_in_recovery() is true)' };
  if (row?.is_read_only) {
    return { timeline: null, refusal: 'is a primary that only reads (default_transaction_read_only is on)' };
  }
  return { timeline: Number(row?.timeline), refusal: null };
}

function wordsOf(error: unknown): string {
  // Several addresses of one name fail as one error without words of its own.
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

function unavailable(message: string): AppError {
  return new AppError('database.unavailable', { details: { message } });
}

/**
 * `postgresql://u:p@db-1:5432,db-2/shop?target_session_attrs=read-write` → `db-1:5432`, `db-2:5432`, in that order. Each
 * gets the URL with its own name, because the driver knows only one. Throws `config.invalid`.
 */
export function hostsOf(address: DatabaseAddress): readonly [DatabaseHost, ...DatabaseHost[]] {
  if (address.kind === 'socket') {
    const { directory, user, database } = address;
    return [{ name: directory, config: { host: directory, user, database } }];
  }
  const match = /^(postgres(?:ql)?:\/\/(?:[^@/?]*@)?)([^@/?]*)([^?]*)(?:\?(.*))?$/.exec(address.url);
  if (!match) throw invalid('expected postgres://user@host:port/database');
  const [, before = '', list = '', path = '', query = ''] = match;
  const parameters = new URLSearchParams(query);
  const attributes = parameters.get('target_session_attrs');
  if (attributes !== null && !WRITABLE_ATTRIBUTES.has(attributes)) {
    throw invalid(`target_session_attrs=${attributes} asks for a server that does not write; expected read-write`);
  }
  if (`${parameters.get('host') ?? ''}${parameters.get('port') ?? ''}`.includes(',')) {
    throw invalid('several hosts are written before the database: postgres://user@host-1:port,host-2:port/database');
  }
  const names = list.split(',');
  if (names.length > HOSTS_MAX) throw invalid(`it names ${names.length} hosts, at most ${HOSTS_MAX} are allowed`);
  if (names.length > 1 && names.some((name) => !HOST.test(name))) {
    throw invalid('each host of a list is host:port; one of them is not');
  }
  const kept = query
    .split('&')
    .filter((one) => one !== '' && !one.startsWith('target_session_attrs='))
    .join('&');
  const toHost = (name: string): DatabaseHost => ({
    name: nameOf(name, parameters.get('host')),
    config: { connectionString: `${before}${name}${path}${kept === '' ? '' : `?${kept}`}` },
  });
  const [first = '', ...others] = names;
  return [toHost(first), ...others.map(toHost)];
}

/** `db-1`, `db-1:5432`, `[::1]:5432`. */
const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;

function nameOf(text: string, inQuery: string | null): string {
  if (text === '') return inQuery ?? 'localhost';
  return /:\d{1,5}$/.test(text) ? text : `${text}:${PORT_STANDARD}`;
}

function invalid(message: string): AppError {
  // The URL may hold a password: it is not shown.
  return new AppError('config.invalid', { details: { name: 'STELLA_DATABASE_URL', message } });
}
