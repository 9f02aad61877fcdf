/**
 * Requests to declared registries: with the certificates that are believed there, and as whom we are declared to be. Owns
 * the answer to a challenge, Basic or Bearer, and keeps what was granted until it expires, in memory only. A credential
 * goes to the registry's own origin and to the token server that the registry names, over TLS or on this machine; no
 * redirect is ever followed with one, and none is part of a log, an error or an address.
 */
import { createHash } from 'node:crypto';
import { AppError, isLoopbackRegistry } from '@stella/domain';
import type { Clock } from '../ports/clock.ts';
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse, readBody } from '../ports/http-client.ts';
import type { RegistryAccess, RegistryAccesses, RegistryLogin } from '../ports/registry-credentials.ts';
import { type AuthChallenge, parseChallenge } from './auth-challenge.ts';
import { parseToken } from './parse-token.ts';

const TOKEN_TIMEOUT_MS = 15_000;
/** Tokens with many claims have some kilobytes. */
const TOKEN_BYTES_MAX = 65_536;
/** A grant is taken for expired so long before it is: the request that it goes with takes time. */
const EXPIRY_MARGIN_MS = 5_000;
/** Basic has no expiry: after so long the registry is asked again what it wants. */
const BASIC_KEPT_MS = 5 * 60_000;
/** Repositories whose grants are kept; the oldest goes first. */
const GRANT_COUNT_MAX = 500;

export interface SessionDeps {
  readonly http: HttpClient;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly accesses: RegistryAccesses;
}

/** What a repository is asked: the rest of its address, and all else of the request. Its time is that of all that it takes. */
export interface RepositoryRequest extends Omit<HttpRequest, 'url' | 'headers'> {
  /** `registry.example:5000` */
  readonly registry: string;
  /** `shop/web` */
  readonly repository: string;
  /** Below the registry's origin: `/v2/shop/web/blobs/…`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RegistryAnswer extends HttpResponse {
  /** Whose answer it is: `https://registry.example:5000`. */
  readonly origin: string;
}

export interface RegistrySession {
  /**
   * The answer, of whatever status, after a challenge was met. Throws `HttpFailure` of the registry itself,
   * `registry.credentials` (what is declared is refused), `registry.unreachable` and `registry.tls` of its token server.
   */
  request(wanted: RepositoryRequest): Promise<RegistryAnswer>;
}

interface Grant {
  /** Value of `Authorization`. */
  readonly header: string;
  readonly untilMs: number;
}

/** One for all callers of a server: what one was granted serves the next. */
export function openRegistrySession(deps: SessionDeps): RegistrySession {
  const grants = new Map<string, Grant>();
  return {
    async request(wanted) {
      const access = await deps.accesses.accessTo(wanted.registry);
      const endsAtMs = deps.clock.monotonicMs() + wanted.timeoutMs;
      // Up to three questions, one after the other: each has what those before it have left.
      const inTime = (): RepositoryRequest => ({
        ...wanted,
        timeoutMs: Math.max(1, endsAtMs - deps.clock.monotonicMs()),
      });
      const key = grantKey(wanted, access.login);
      const kept = grants.get(key);
      const isKept = kept !== undefined && kept.untilMs > deps.clock.monotonicMs();
      const own = access.login !== null && 'token' in access.login ? `Bearer ${access.login.token}` : null;
      const first = own ?? (isKept ? kept.header : null);
      const answer = await send(deps.http, access, inTime(), first);
      if (answer.status !== 401) return answer;
      await discard(answer);
      if (own !== null) throw refused(wanted.registry, 'it refuses the declared token');
      grants.delete(key);
      const challenge = parseChallenge(answer.headers['www-authenticate']);
      const grant = challenge && (await meet(deps, { wanted: inTime(), access, challenge }));
      if (!grant) {
        if (access.login === null) return answer;
        throw refused(wanted.registry, 'it asks for no kind of login that is known here');
      }
      const second = await send(deps.http, access, inTime(), grant.header);
      if (second.status === 401 && access.login !== null) {
        await discard(second);
        throw refused(wanted.registry, `it refuses what ${nameOf(access.login)} was granted`);
      }
      if (second.status !== 401) keep(grants, { key, grant }, deps.clock.monotonicMs());
      return second;
    },
  };
}

/** By whom we are as well: another password begins anew. */
function grantKey({ registry, repository }: RepositoryRequest, login: RegistryLogin | null): string {
  const who = createHash('sha256').update(JSON.stringify(login)).digest('hex');
  return `${registry} ${repository} ${who}`;
}

/** What has expired goes at the next grant: no token stays for longer than it is good for anything. */
function keep(
  grants: Map<string, Grant>,
  { key, grant }: { readonly key: string; readonly grant: Grant },
  nowMs: number,
): void {
  for (const [one, { untilMs }] of grants) {
    if (untilMs <= nowMs) grants.delete(one);
  }
  const [oldest] = grants.keys();
  if (grants.size >= GRANT_COUNT_MAX && oldest !== undefined) grants.delete(oldest);
  grants.set(key, grant);
}

async function send(
  http: HttpClient,
  { origin, ca }: RegistryAccess,
  { registry: _ours, repository: _named, path, headers, ...rest }: RepositoryRequest,
  authorization: string | null,
): Promise<RegistryAnswer> {
  const answer = await http.request({
    ...rest,
    url: `${origin}${path}`,
    headers: authorization === null ? headers : { ...headers, authorization },
    ...(ca === null ? {} : { ca }),
  });
  return { ...answer, origin };
}

interface Meeting {
  readonly wanted: RepositoryRequest;
  readonly access: RegistryAccess;
  readonly challenge: AuthChallenge;
}

/** Null: there is nothing to meet it with. */
async function meet(deps: SessionDeps, { wanted, access, challenge }: Meeting): Promise<Grant | null> {
  const { login } = access;
  const password = login !== null && 'password' in login ? basicOf(login) : null;
  if (challenge.scheme === 'basic') {
    return password === null ? null : { header: password, untilMs: deps.clock.monotonicMs() + BASIC_KEPT_MS };
  }
  const { token, lastsMs } = await askForToken(deps, { wanted, access, challenge }, password);
  return { header: `Bearer ${token}`, untilMs: deps.clock.monotonicMs() + lastsMs - EXPIRY_MARGIN_MS };
}

/** RFC 7617. */
function basicOf({ username, password }: Extract<RegistryLogin, { username: string }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** Without a password as anybody: public repositories of many registries are read so. */
async function askForToken(
  { http }: SessionDeps,
  { wanted, access, challenge }: Meeting,
  password: string | null,
): Promise<{ readonly token: string; readonly lastsMs: number }> {
  const { registry } = wanted;
  const url = tokenUrl(wanted, access, challenge);
  const asking: HttpRequest = {
    method: 'GET',
    url: url.href,
    headers: { accept: 'application/json', ...(password === null ? {} : { authorization: password }) },
    timeoutMs: Math.min(TOKEN_TIMEOUT_MS, wanted.timeoutMs),
    responseBytesMax: TOKEN_BYTES_MAX,
    ...(access.ca === null ? {} : { ca: access.ca }),
    ...(wanted.signal ? { signal: wanted.signal } : {}),
  };
  try {
    const answer = await http.request(asking);
    if (answer.status === 200) return parseToken(await readBody(answer), registry);
    await discard(answer);
    const said = `its token server ${url.host} answered status ${answer.status}`;
    const isRefusal = answer.status === 400 || answer.status === 401 || answer.status === 403;
    if (isRefusal && access.login !== null) throw refused(registry, `${said} for ${nameOf(access.login)}`);
    throw new AppError(isRefusal ? 'registry.denied' : 'registry.unreachable', {
      details: { registry, repository: wanted.repository, message: said },
    });
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    const message = `its token server ${url.host}: ${error.message}`;
    const code = error.failure === 'tls' ? 'registry.tls' : 'registry.unreachable';
    const hint = error.failure === 'address_forbidden' ? { hint: 'allow the address in STELLA_OUTGOING_ALLOW' } : {};
    throw new AppError(code, { details: { registry, message }, ...hint, cause: error });
  }
}

/** Only reading, and only of this repository, whatever the challenge proposes. */
function tokenUrl(
  { registry, repository }: RepositoryRequest,
  { origin }: RegistryAccess,
  challenge: AuthChallenge,
): URL {
  const { realm = '', service = null } = challenge.scheme === 'bearer' ? challenge : {};
  const url = URL.canParse(realm) ? new URL(realm) : null;
  const isPlain = url?.protocol === 'http:' && isLoopbackRegistry(url.host) && origin.startsWith('http:');
  if (!url || (url.protocol !== 'https:' && !isPlain) || url.username !== '' || url.password !== '') {
    const message = 'it names a token server that is not spoken to over TLS';
    throw new AppError('registry.tls', {
      details: { registry, message },
      hint: 'have the registry name the https address of its token server',
    });
  }
  if (service !== null) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  return url;
}

function nameOf(login: RegistryLogin): string {
  return 'username' in login ? `user "${login.username}"` : 'the declared token';
}

function refused(registry: string, message: string): AppError {
  return new AppError('registry.credentials', { details: { registry, message } });
}

export async function discard(response: HttpResponse): Promise<void> {
  await response.body[Symbol.asyncIterator]().return?.();
}
