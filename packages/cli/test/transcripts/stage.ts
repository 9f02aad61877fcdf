/** Where the transcripts play: a real server, a shop's releases, three environments, a gate, a terminal of 80 columns. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeServerPlace, type ServerProcess, startServerProcess, writeOciLayout } from '@stella/testkit';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const PROGRAM = join(ROOT, 'packages', 'cli', 'dist', 'main.mjs');
const COMMAND_TIMEOUT_MS = 30_000;

/** `until_status <promotion> <status>`, for transcripts that wait for a person's turn. */
const UNTIL_STATUS = `until_status() {
  n=0
  until stella promotion status "$1" -o json | grep -q "\\"status\\": *\\"$2\\""; do
    n=$((n + 1)); [ $n -lt 100 ] || return 1
  done
}`;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Stage {
  readonly server: ServerProcess;
  /** Directory that commands run in. */
  readonly directory: string;
  /** Of the server. */
  readonly dataDir: string;
  /** Texts of this run → what transcripts show for them. */
  readonly names: ReadonlyMap<string, string>;
  /** Runs a line of shell as that person: `admin` has the server's own token, others have logged in. */
  run(line: string, who: string): Promise<Ran>;
  remove(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const place = await makeServerPlace();
  const directory = join(place.directory, 'home');
  mkdirSync(join(directory, 'environments'), { recursive: true });
  await writeOciLayout(
    place.layouts,
    ['1.0.0', '1.1.0', '1.2.0'].map((tag) => ({ tag, files: { 'index.html': `shop ${tag}` } })),
  );
  const gate = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json').end('{"verdict":"passed","message":"12 tests passed"}');
  });
  // Answers nothing, ever.
  const silent = createServer(() => undefined);
  const stranger = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end('{"version":"9.0.0","api":"v9"}');
  });
  const ports = await Promise.all([gate, silent, stranger].map(listen));
  writeEnvironments(directory, { targets: place.targets, gate: `http://127.0.0.1:${ports[0]}/tests` });
  for (const name of ['dev', 'prod']) mkdirSync(join(place.targets, name), { recursive: true });
  const server = await startServerProcess(place, {
    env: { STELLA_COMMAND_DIRECTORIES: join(place.directory, 'commands') },
  });
  const names = new Map([
    [server.url, 'http://stella.example'],
    [server.url.replace('http://', ''), 'busy.example:80'],
    [place.directory, '/place'],
    [`http://127.0.0.1:${ports[0]}`, 'http://gate.example'],
    [`http://127.0.0.1:${ports[1]}`, 'http://silent.example'],
    [`http://127.0.0.1:${ports[2]}`, 'http://stranger.example'],
  ]);
  return {
    server,
    directory,
    dataDir: place.dataDir,
    names,
    run: (line, who) =>
      runShell(line, { directory, env: envOf(who, { dataDir: place.dataDir, url: server.url, directory }) }),
    async remove() {
      for (const one of [gate, silent, stranger]) {
        one.closeAllConnections();
        one.close();
      }
      await place.remove();
    },
  };
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // It listens on a port.
  return (server.address() as AddressInfo).port;
}

function writeEnvironments(directory: string, { targets, gate }: { targets: string; gate: string }): void {
  const target = (name: string): string =>
    `targets:\n  - name: ${name}-web\n    kind: files\n    component: web\n    directory: ${join(targets, name)}\n`;
  const tests = `gates:\n  - name: tests\n    kind: http\n    url: ${gate}\n`;
  const sign = '  - name: sign\n    kind: approval\n';
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  write('environments/dev.yaml', `kind: Environment\nname: dev\n${tests}${target('dev')}`);
  write(
    'environments/prod.yaml',
    `kind: Environment\nname: prod\npromotesFrom: [dev]\n${tests}${sign}${target('prod')}`,
  );
  write('slip.yaml', `kind: Environment\nname: dev\ngats: []\n${target('dev')}`);
  write('broken.yaml', 'kind: Environment\nname: [dev\n');
}

interface People {
  readonly dataDir: string;
  readonly url: string;
  readonly directory: string;
}

function envOf(who: string, { dataDir, url, directory }: People): NodeJS.ProcessEnv {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    COLUMNS: '80',
    STELLA_CONFIG: join(directory, `${who}.json`),
  };
  if (who === 'nobody') return env;
  return who === 'admin' ? { ...env, STELLA_DATA_DIR: dataDir } : { ...env, STELLA_SERVER: url };
}

/** A line of `sh`, in which `stella` is the built program. */
export function runShell(
  line: string,
  { directory, env }: { directory: string; env: NodeJS.ProcessEnv },
): Promise<Ran> {
  const prelude = `stella() { '${process.execPath}' '${PROGRAM}' "$@"; }\n${UNTIL_STATUS}\n`;
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', prelude + line], { cwd: directory, env, timeout: COMMAND_TIMEOUT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    child.stdin.end();
    child.once('error', reject).once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}
