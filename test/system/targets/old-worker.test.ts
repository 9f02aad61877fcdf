/**
 * Two servers on one database, of which the one that works at a deploy over SSH is stopped in the middle of it. The other
 * takes the lock by force and brings another release; then the first goes on, and changes nothing at the target any more.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isTerminal } from '@stella/domain';
import {
  adminClient,
  type DebianPostgres,
  hasDebianPostgres,
  makeServerPlace,
  type ServerPlace,
  type ServerProcess,
  startDebianPostgres,
  startServerProcess,
  waitFor,
} from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isThere } from '../../../packages/server/test/crash/service-stage.ts';
import { createReleases, startTestServer } from '../../../packages/server/test/integration/http-fixture.ts';
import { findSshd, type SshPrograms, type SshServer, startSshd } from '../sshd.ts';
import { typeWords } from './type-command.ts';

/** All of it takes a few seconds; a machine that does much else needs longer. */
const TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 300_000;
const programs = findSshd();

/** The login of a host that lets a first deploy wait, as a slow network does, and tells how its script ended. */
const SLOW_LOGIN = `#!/bin/sh
cd "\${0%/*}" || exit 1
case $SSH_ORIGINAL_COMMAND in
*.deploy.late.1*)
  if mv login.hold login.held 2>/dev/null; then
    while [ -e login.held ]; do sleep 0.2; done
    sh -c "$SSH_ORIGINAL_COMMAND"
    code=$?
    echo "$code" >login.code
    exit "$code"
  fi
  ;;
esac
exec sh -c "$SSH_ORIGINAL_COMMAND"
`;
/** Waits in its middle while it is held, which only one is. */
const BRING = `#!/bin/sh
if [ -e "$1.hold" ]; then echo $$ >"$1.pid"; fi
if mv "$1.hold" "$1.held" 2>/dev/null; then while [ -e "$1.held" ]; do sleep 0.2; done; fi
printf '%s' "$STELLA_DIGEST" >"$1"
`;
const TELL = '#!/bin/sh\n[ ! -e "$1" ] || cat "$1"\n';

if (programs === null || !hasDebianPostgres()) {
  describe('an old worker', () => {
    it.skip('missing component: sshd or postgresql-15 (tools/install-system-deps.sh)', () => undefined);
  });
} else {
  describe('an old worker that goes on after its lock was taken by force', () => {
    describeAll(programs);
  });
}

interface Server {
  readonly place: ServerPlace;
  readonly process: ServerProcess;
}

function describeAll(found: SshPrograms): void {
  let postgres: DebianPostgres;
  let sshd: SshServer;
  let host = '';
  const servers: Server[] = [];
  const at = (name: string): string => join(host, name);
  const read = (path = ''): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const until = (condition: () => boolean | Promise<boolean>, why: string): Promise<void> =>
    waitFor(condition, { timeoutMs: TIMEOUT_MS, why });

  beforeAll(async () => {
    host = await mkdtemp(join(tmpdir(), 'stella-old-worker-'));
    for (const [name, text] of Object.entries({ login: SLOW_LOGIN, bring: BRING, tell: TELL })) {
      await writeFile(at(name), text);
      await chmod(at(name), 0o755);
    }
    postgres = await startDebianPostgres();
    const settings = [`ForceCommand ${at('login')}`];
    sshd = await startSshd(found, { address: '127.0.0.1', enter: [], settings });
    const env = {
      STELLA_DATABASE_URL: postgres.url('stella_app'),
      STELLA_DATABASE_OWNER_URL: postgres.url('stella_owner'),
      STELLA_SECRET_FAR: await read(sshd.keyFile),
      STELLA_PRECHECK_INTERVAL: '1s',
      STELLA_PROBE_TIMEOUT: '30s',
    };
    const first = await startTestServer(env);
    servers.push({ place: first.place, process: first.server });
    await createReleases(first, 2);
    const place = await makeServerPlace();
    await mkdir(place.dataDir, { mode: 0o711 });
    // The first server made the first admin; the second is asked as the same.
    await copyFile(join(first.place.dataDir, 'admin.token'), join(place.dataDir, 'admin.token'));
    const shared = { STELLA_LAYOUT_DIRECTORIES: first.place.layouts };
    servers.push({ place, process: await startServerProcess(place, { env: { ...env, ...shared } }) });
    await first.admin.call('applyDefinitions', { body: { documents: ['busy', 'late'].map(toDocument) } });
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    for (const { place } of servers) await place.remove();
    await sshd.stop();
    await postgres.remove();
    await rm(host, { recursive: true, force: true });
  }, START_TIMEOUT_MS);

  function toDocument(name: string): { readonly file: string; readonly text: string } {
    const { address, port, user, fingerprint } = sshd;
    const target = {
      name,
      kind: 'command',
      component: 'web',
      host: { ssh: { address, port, user, key: 'env:STELLA_SECRET_FAR', hostKey: fingerprint } },
      deploy: [at('bring'), at(name)],
      observe: [at('tell'), at(name)],
      stateDirectory: at(`${name}-fence`),
    };
    // JSON is YAML.
    return { file: `${name}.yaml`, text: JSON.stringify({ kind: 'Environment', name, targets: [target] }) };
  }

  const promote = async ({ process: server }: Server, release: string, environment: string): Promise<string> =>
    (await adminClient(server).call('createPromotion', { body: { release, environment } })).id;

  /** As the on-call types it, at the server that still answers. */
  async function type<Shown>(server: Server, ...words: readonly string[]): Promise<Shown> {
    const stdout = await typeWords(server.process, server.place, words);
    // What the command says it shows.
    return JSON.parse(stdout) as Shown;
  }

  /** The one that works at it, and the other. */
  async function tellApart(promotion: string): Promise<readonly [old: Server, other: Server]> {
    const worker = await postgres.sql(`select worker_id from stella.promotions where id = '${promotion}'`);
    const [one, two] = servers;
    if (!one || !two || worker === '') throw new Error(`nobody works at ${promotion}`);
    return one.process.log().includes(worker) ? [one, two] : [two, one];
  }

  interface Overtaken {
    readonly old: Server;
    readonly other: Server;
    readonly second: string;
    /** What the second release is, as the target says it. */
    readonly digest: string;
  }

  /** The old one is stopped in its deploy, its lock is taken, and another release is brought; it does not go on yet. */
  async function overtake(environment: string, isHeld: () => boolean): Promise<Overtaken> {
    const [server] = servers;
    if (!server) throw new Error('no server runs');
    const first = await promote(server, 'shop-1', environment);
    await until(isHeld, 'it is in the middle of its deploy');
    const [old, other] = await tellApart(first);
    process.kill(old.process.pid, 'SIGSTOP');
    const words = ['orch', 'locks', 'list', '--env', environment];
    const { items } = await type<{ readonly items: readonly { readonly id: string }[] }>(other, ...words);
    const lock = items[0]?.id ?? 'none';
    const released = await type<object>(other, 'orch', 'locks', 'release', lock, '--force');
    expect(released).toMatchObject({ promotionId: first, seals: [{ target: environment, isSealed: true }] });
    const second = await promote(other, 'shop-2', environment);
    const admin = adminClient(other.process);
    const ended = async (): Promise<boolean> =>
      isTerminal((await admin.call('getPromotion', { parameters: { promotion: second } })).status);
    await until(ended, 'the second promotion has ended');
    expect(await admin.call('getPromotion', { parameters: { promotion: second } })).toMatchObject({
      status: 'completed',
    });
    expect(await admin.call('getPromotion', { parameters: { promotion: first } })).toMatchObject({
      status: 'failed',
      ending: { code: 'lock.revoked' },
    });
    return { old, other, second, digest: await read(at(environment)) };
  }

  /** The old one lives, has seen that its claim is gone, and the target, its fence and the records are those of the second. */
  async function expectSecond(environment: string, { old, other, second, digest }: Overtaken): Promise<void> {
    await until(() => /claim lost|worker stopped/.test(old.process.log()), 'the old one sees that its claim is gone');
    const shown = await adminClient(old.process).call('getEnvironment', { parameters: { environment } });
    expect(shown).toMatchObject({ state: 'whole', stop: null, release: { name: 'shop-2' } });
    expect(await read(at(environment))).toBe(digest);
    const admin = adminClient(other.process);
    const { items } = await admin.call('listArtifacts', { parameters: { environment } });
    expect(items).toMatchObject([{ observed: digest, promised: digest, isHealthy: true }]);
    const { attempts } = await admin.call('getPromotion', { parameters: { promotion: second } });
    const deploy = attempts.find(({ purpose }) => purpose === 'deploy');
    const fence = deploy?.fence?.split('.').join(' ') ?? 'none';
    const operation = `${fence} ${second}.deploy.${environment}.1`;
    expect(await read(join(at(`${environment}-fence`), 'pair'))).toBe(`${operation} ${operation} .\n`);
    const checked = await type<object>(other, 'doctor', '--check', 'check.orchestrator.invariants');
    expect(JSON.stringify(checked)).toContain('"pass"');
  }

  it('finds that its program there was ended, which switches nothing in', async () => {
    await writeFile(at('busy.hold'), '');
    const overtaken = await overtake('busy', () => existsSync(at('busy.held')));
    process.kill(overtaken.old.process.pid, 'SIGCONT');
    await rm(at('busy.held'));
    const program = Number(await read(at('busy.pid')));
    await until(() => !isThere(program), 'its program has ended');
    expect(await read(at('busy'))).toBe(overtaken.digest);
    await expectSecond('busy', overtaken);
  });

  it('is refused at the target with what it had begun to ask', async () => {
    await writeFile(at('login.hold'), '');
    const overtaken = await overtake('late', () => existsSync(at('login.held')));
    process.kill(overtaken.old.process.pid, 'SIGCONT');
    await rm(at('login.held'));
    await until(async () => (await read(at('login.code'))) !== '', 'the host has answered the old one');
    expect(await read(at('login.code'))).toBe('110\n');
    await expectSecond('late', overtaken);
  });
}
