/**
 * `npm run demo`: a real orchestrator promotes two real releases of a small web shop from dev over staging to prod, and
 * then proves by other means what runs there. `--keep` leaves it running, `--check <directory>` looks at it again.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeClient } from '@stella/contract/client';
import { type Child, runScript, startChild, stopChildren } from './children.ts';
import { checkPage } from './find-page.ts';
import {
  ENVIRONMENTS,
  type EnvironmentName,
  makePlace,
  type Place,
  readKept,
  removePlace,
  VERSIONS,
  writeEnvironments,
  writeKept,
} from './place.ts';
import { tellTimeline } from './timeline.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const EXAMPLE = join(ROOT, 'examples', 'shop');
const STELLA = join(import.meta.dirname, 'main.mjs');
const APPROVER = 'bob';
/** One promotion of the demo; far more than it takes. */
const WAIT = '60s';

const startedAtMs = performance.now();

interface Demo {
  readonly place: Place;
  readonly pages: Readonly<Record<EnvironmentName, string>>;
  /** Of the one who asks, and of the one who approves. */
  readonly requester: NodeJS.ProcessEnv;
  readonly approver: NodeJS.ProcessEnv;
}

async function main(): Promise<number> {
  const parameters = process.argv.slice(2);
  if (parameters[0] === '--check') return await check(parameters[1] ?? '.');
  const unknown = parameters.find((one) => one !== '--keep');
  if (unknown !== undefined) {
    say(`unknown: ${unknown}; known are --keep and --check <directory>`);
    return 2;
  }
  const place = await makePlace(EXAMPLE);
  const stopped = untilStopped();
  try {
    const run = promoteAll(place, parameters.includes('--keep'), stopped);
    return await Promise.race([run, stopped.then(() => 130)]);
  } finally {
    await stopChildren();
    await removePlace(place);
  }
}

async function promoteAll(place: Place, isKept: boolean, stopped: Promise<void>): Promise<number> {
  const demo = await startAll(place);
  say(`both people here are this demo: the first admin asks, ${APPROVER} approves in prod\n`);
  await stella(demo.requester, 'apply', '-f', place.environments);
  await enrolApprover(demo);
  for (const version of VERSIONS) await bringToProd(demo, version);
  print('');
  const code = await check(place.directory);
  const last = (
    await stella(demo.requester, 'promotion', 'list', '--env', 'prod', '--limit', '1', '-o', 'name')
  ).trim();
  await show(demo, 'promotion', 'status', last);
  await show(demo, 'orch', 'artifacts', 'list', '--env', 'prod');
  say(`done in ${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s`);
  if (!isKept) return code;
  await tellWhatNext(demo, last);
  await stopped;
  return code;
}

async function startAll(place: Place): Promise<Demo> {
  say('starting PostgreSQL, the orchestrator, a gate service and three web servers');
  const script = (name: string): string => join(import.meta.dirname, `${name}.mjs`);
  const gate = startChild(script('gate-service'), []);
  const webs = ENVIRONMENTS.map((name): [EnvironmentName, Child] => [
    name,
    startChild(script('web-server'), [join(place.targets, name)]),
  ]);
  const urls = await Promise.all(webs.map(async ([name, web]) => [name, await web.firstLine]));
  // One for each name.
  const pages = Object.fromEntries(urls) as Record<EnvironmentName, string>;
  await writeEnvironments(EXAMPLE, place, { gate: await gate.firstLine, pages });
  await writeKept(place, { layout: place.layout, pages });
  const env = cleanEnv();
  startChild(STELLA, ['orch', 'serve', '--data-dir', place.dataDir, '--listen', '127.0.0.1:0'], {
    ...env,
    STELLA_LOG_LEVEL: 'warn',
    STELLA_TARGET_DIRECTORIES: place.targets,
    STELLA_LAYOUT_DIRECTORIES: place.layout,
  });
  const server = await untilListening(place);
  const requester = { ...env, STELLA_DATA_DIR: place.dataDir, STELLA_CONFIG: join(place.directory, 'admin.json') };
  const approver = {
    ...env,
    STELLA_SERVER: server.url,
    STELLA_CONFIG: join(place.directory, `${APPROVER}.json`),
  };
  const token = (await readFile(join(place.dataDir, 'admin.token'), 'utf8')).trim();
  const client = makeClient({ server: server.url, token, timeoutMs: 10_000 });
  void tellTimeline(client, startedAtMs, new AbortController().signal);
  return { place, pages, requester, approver };
}

async function untilListening({ dataDir }: Place): Promise<{ url: string }> {
  const endsAtMs = performance.now() + 30_000;
  // Until the file is there, or the time is over.
  for (;;) {
    try {
      // Written by the orchestrator.
      return JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')) as { url: string };
    } catch {
      if (performance.now() > endsAtMs) throw new Error('the orchestrator did not start within 30 s');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The regular way: the admin enrols a person, who logs in with the one-time code. */
async function enrolApprover({ place, requester, approver }: Demo): Promise<void> {
  const codeFile = join(place.directory, `${APPROVER}.code`);
  await stella(
    requester,
    'auth',
    'person',
    'create',
    APPROVER,
    '--role',
    'approver@prod',
    '--role',
    'viewer@*',
    '--code-file',
    codeFile,
  );
  await stella(approver, 'auth', 'login', '--code-file', codeFile);
}

async function bringToProd(demo: Demo, version: string): Promise<void> {
  const name = `shop-${version}`;
  const artifact = `web=oci-layout:${demo.place.layout}:${version}`;
  await stella(demo.requester, 'release', 'create', '--name', name, '--component', artifact);
  for (const environment of ENVIRONMENTS) {
    const id = (
      await stella(demo.requester, 'promotion', 'create', '--release', name, '--to', environment, '-o', 'name')
    ).trim();
    if (environment === 'prod') {
      await untilStatus(demo, id, 'pending_approval');
      await stella(demo.approver, 'promotion', 'approve', id, '--reason', 'looks good');
    }
    await stella(demo.requester, 'promotion', 'status', id, '--wait', WAIT, '-q');
  }
}

/** The approver looks until he is asked. */
async function untilStatus(demo: Demo, id: string, wanted: string): Promise<void> {
  const endsAtMs = performance.now() + 30_000;
  // Until that status, or the time is over.
  for (;;) {
    const text = await stella(demo.approver, 'promotion', 'status', id, '-o', 'json');
    // Printed by `promotion status`.
    const { status } = JSON.parse(text) as { status: string };
    if (status === wanted) return;
    if (performance.now() > endsAtMs) throw new Error(`${id} is ${status} and not ${wanted}`);
  }
}

/** Asked again and again, or shown with their output. */
const QUIET_COMMANDS = new Set(['promotion status', 'promotion list', 'orch artifacts']);

/** Runs the command line as a person would; fails when it does. */
async function stella(env: NodeJS.ProcessEnv, ...words: readonly string[]): Promise<string> {
  if (!QUIET_COMMANDS.has(words.slice(0, 2).join(' '))) say(`$ stella ${words.join(' ')}`);
  const output = await runScript(STELLA, words, env);
  if (output.code === 0) return output.stdout;
  throw new Error(`stella ${words.join(' ')} exited ${output.code}\n${output.stderr}${output.stdout}`);
}

async function show({ requester }: Demo, ...words: readonly string[]): Promise<void> {
  print(`$ stella ${words.join(' ')}`);
  print(await stella(requester, ...words));
}

/** Fetches every page and finds its bytes in an artifact. 1 when one of them is in none. */
async function check(directory: string): Promise<number> {
  const { layout, pages } = await readKept(directory);
  let code = 0;
  for (const [name, url] of Object.entries(pages)) {
    const { hash, found } = await checkPage(`${url}/`, layout);
    if (!found) code = 1;
    const place = found ? `${found.path} of shop:${found.tag}` : 'NOT in any layer of any release';
    print(`${name.padEnd(8)} ${url}/ is ${place}`);
    print(`         page     ${hash}`);
    if (found) print(`         artifact ${found.artifact}`);
  }
  return code;
}

async function tellWhatNext({ place, pages }: Demo, last: string): Promise<void> {
  // Written by the orchestrator.
  const { url } = JSON.parse(await readFile(join(place.dataDir, 'server.json'), 'utf8')) as { url: string };
  const bin = `STELLA_DATA_DIR=${place.dataDir} npx stella`;
  say(`
it keeps running until Ctrl-C:
  server      ${url}
  token file  ${join(place.dataDir, 'admin.token')}
  shop        ${pages.prod}/
try:
  ${bin} orch status
  ${bin} promotion trace ${last}
  ${bin} promotion gates ${last}
  ${bin} environment list
  npm run demo -- --check ${place.directory}`);
}

function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('STELLA_')));
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve());
  });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
// The event stream may still be open.
process.stdout.write('', () => process.exit());
