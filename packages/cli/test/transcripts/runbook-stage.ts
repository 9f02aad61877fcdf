/** A machine on which an orchestrator runs as a service, with a gate and a health check that never answer, and one that does. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findFreePort, makeServerPlace, type ServerPlace, waitFor, writeOciLayout } from '@stella/testkit';
import { type Ran, runShell } from './stage.ts';

const WAIT_TIMEOUT_MS = 90_000;

export interface RunbookStage {
  readonly dataDir: string;
  /** Where targets may lie. */
  readonly targets: string;
  /** As `admin`, who is on the machine, or `bo`, who may approve. */
  run(line: string, who: 'admin' | 'bo'): Promise<Ran>;
  /** A promotion whose gate has timed out, and which counts as stalled. */
  promoteIntoHungGate(release: string): Promise<string>;
  /** One that waits, because another has used up the quota of the environment `calm`. */
  promoteIntoUsedUpQuota(first: string, second: string): Promise<string>;
  /** A rollback of the environment `back` that failed, because its target was unhealthy; by now it is well again. */
  failRollback(first: string, second: string): Promise<string>;
  /** Another promotion, elsewhere, that holds a lock for as long as its target's health check hangs. */
  holdLock(release: string): Promise<string>;
  digestOf(release: string): Promise<string>;
  approveSkip(promotion: string): Promise<void>;
  untilStatus(promotion: string, status: string): Promise<void>;
  remove(): Promise<void>;
}

export async function openRunbookStage(): Promise<RunbookStage> {
  const place = await makeServerPlace();
  const directory = join(place.directory, 'home');
  mkdirSync(directory);
  for (const name of ['prod', 'busy', 'calm', 'back']) mkdirSync(join(place.targets, name), { recursive: true });
  const tags = ['1', '2'];
  await writeOciLayout(
    place.layouts,
    tags.map((tag) => ({ tag, files: { 'index.html': `shop ${tag}` } })),
  );
  const silent = await openServer(() => undefined);
  const health = { status: 200 };
  const healthServer = await openServer((response) => void response.writeHead(health.status).end());
  const urls = { silent: silent.url, health: healthServer.url };
  writeFileSync(join(directory, 'environments.yaml'), environments(place.targets, urls));

  const run: RunbookStage['run'] = (line, who) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: directory, COLUMNS: '80' };
    const mine = who === 'admin' ? { STELLA_DATA_DIR: place.dataDir } : { STELLA_SERVER: serverUrl(place.dataDir) };
    return runShell(line, { directory, env: { ...env, STELLA_CONFIG: join(directory, `${who}.json`), ...mine } });
  };
  const must: Must = async (line, who = 'admin') => {
    const { code, stdout, stderr } = await run(line, who);
    if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr}`);
    return stdout.trim();
  };
  const until = (line: string, isRight: (text: string) => boolean): Promise<void> =>
    waitFor(async () => isRight((await run(line, 'admin')).stdout), { timeoutMs: WAIT_TIMEOUT_MS, why: line });
  const remove = async (): Promise<void> => {
    silent.close();
    healthServer.close();
    await run('stella service stop orchestrator', 'admin');
    await place.remove();
  };

  try {
    await prepare(must, place, tags);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    dataDir: place.dataDir,
    targets: place.targets,
    run,
    promoteIntoHungGate: (release) => promoteIntoHungGate(must, until, release),
    promoteIntoUsedUpQuota: (first, second) => promoteIntoUsedUpQuota(must, until, [first, second]),
    failRollback: (first, second) => failRollback({ must, until }, health, [first, second]),
    async holdLock(release) {
      await must(`stella promotion create --release ${release} --to busy -o name -q`);
      await until('stella orch locks list --env busy -o name', (text) => text.includes('lck_'));
      return (await must('stella orch locks list --env busy -o name')).split('\n')[0] ?? '';
    },
    async digestOf(release) {
      return /sha256:[0-9a-f]{64}/.exec(await must(`stella release show ${release} -o json`))?.[0] ?? '';
    },
    async approveSkip(promotion) {
      await must(`stella promotion approve ${promotion} --skip change-ticket`, 'bo');
    },
    async untilStatus(promotion, status) {
      await until(`stella promotion status ${promotion} -o json`, (text) => text.includes(`"status": "${status}"`));
    },
    remove,
  };
}

type Must = (line: string, who?: 'admin' | 'bo') => Promise<string>;
type Until = (line: string, isRight: (text: string) => boolean) => Promise<void>;

async function promoteIntoHungGate(must: Must, until: Until, release: string): Promise<string> {
  for (const [key, value] of [
    ['timeout', '1s'],
    ['retries', '0'],
  ]) {
    await must(`stella orch config set gates.change-ticket.${key} ${value}`);
  }
  const id = await must(`stella promotion create --release ${release} --to prod -o name -q`);
  await until(`stella promotion gates ${id} -o json`, (text) => text.includes('"timeout"'));
  await until('stella promotion list --status in_progress --older-than 1s -o name', (text) => text.includes(id));
  return id;
}

async function promoteIntoUsedUpQuota(
  must: Must,
  until: Until,
  [first, second]: readonly [string, string],
): Promise<string> {
  const started = await must(`stella promotion create --release ${first} --to calm -o name -q`);
  await until(`stella promotion status ${started} -o json`, (text) => text.includes('"status": "completed"'));
  const id = await must(`stella promotion create --release ${second} --to calm -o name -q`);
  await until(`stella promotion status ${id} -o json`, (text) => text.includes('"status": "queued"'));
  return id;
}

async function failRollback(
  { must, until }: { readonly must: Must; readonly until: Until },
  health: { status: number },
  releases: readonly [string, string],
): Promise<string> {
  for (const release of releases) await must(`stella promotion create --release ${release} --to back --wait`);
  health.status = 503;
  const id = await must('stella rollback start --env back -o name -q');
  await until(`stella promotion status ${id} -o json`, (text) => text.includes('"status": "failed"'));
  health.status = 200;
  return id;
}

/** The service, environments, releases, and a second person. */
async function prepare(must: Must, { targets, layouts }: ServerPlace, tags: readonly string[]): Promise<void> {
  const directories = `STELLA_TARGET_DIRECTORIES='${targets}' STELLA_LAYOUT_DIRECTORIES='${layouts}'`;
  // Where people log in stays the same over a restart, so it is no port of the moment.
  const listen = `STELLA_LISTEN=127.0.0.1:${await findFreePort()}`;
  await must(`${listen} ${directories} stella service install orchestrator --manager supervisor`);
  await must('stella service start orchestrator');
  await must('stella apply -f environments.yaml --yes');
  for (const tag of tags)
    await must(`stella release create --name shop-${tag} --component web=oci-layout:${layouts}:${tag}`);
  await must('stella auth person create bo --role approver@* --code-file bo.code');
  await must('stella auth login --code-file bo.code', 'bo');
  await must('stella orch config set stuck.after 1s');
}

/** `answer` may leave it without one, for ever. */
async function openServer(
  answer: (response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/`, close };
}

/** Where it is after a restart is for the file to say. */
function serverUrl(dataDir: string): string {
  // Written by the server.
  const { url } = JSON.parse(readFileSync(join(dataDir, 'server.json'), 'utf8')) as { readonly url: string };
  return url;
}

function environments(targets: string, urls: { readonly silent: string; readonly health: string }): string {
  const target = (name: string): string =>
    `  - { name: ${name}-web, kind: files, component: web, directory: ${join(targets, name)}`;
  return [
    'kind: Environment',
    'name: prod',
    'gates:',
    `  - { name: change-ticket, kind: http, url: "${urls.silent}" }`,
    'targets:',
    `${target('prod')} }`,
    '---',
    'kind: Environment',
    'name: busy',
    'targets:',
    `${target('busy')}, health: { url: "${urls.silent}", timeout: 1m, deadline: 1h } }`,
    '---',
    'kind: Environment',
    'name: calm',
    'quotas: { perDay: 1 }',
    'targets:',
    `${target('calm')} }`,
    '---',
    'kind: Environment',
    'name: back',
    'targets:',
    `${target('back')}, health: { url: "${urls.health}", deadline: 10s } }`,
    '',
  ].join('\n');
}
