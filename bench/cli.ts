/**
 * What a command costs beside bare node: `stella --help`, which asks nobody, and `promotion status`, which asks a server on
 * this machine. Each round starts all three, one after another, so that a busy moment meets them alike.
 */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { adminClient, makeServerPlace, startServerProcess, writeOciLayout } from '@stella/testkit';
import { note, percentile, type Row } from './report.ts';

const ROUNDS = 50;
/** Before them, so that files are in the cache of the system. */
const WARM_ROUNDS = 3;
const COMMAND_TIMEOUT_MS = 30_000;
const ROOT = join(import.meta.dirname, '..');
const PROGRAM = join(ROOT, 'packages', 'cli', 'dist', 'main.mjs');

export async function runCliBench(): Promise<readonly Row[]> {
  const place = await makeServerPlace();
  try {
    const server = await startServerProcess(place);
    const client = adminClient(server);
    await mkdir(join(place.targets, 'dev'), { recursive: true });
    await writeOciLayout(place.layouts, [{ tag: 'one', files: { 'index.html': 'page' } }]);
    const target = `{ name: web, kind: files, component: web, directory: ${join(place.targets, 'dev')} }`;
    const text = `kind: Environment\nname: dev\ntargets: [${target}]\n`;
    await client.call('applyDefinitions', { body: { documents: [{ file: 'dev.yaml', text }] } });
    const components = [{ name: 'web', artifact: `oci-layout:${place.layouts}:one` }];
    await client.call('createRelease', { body: { name: 'one', components } });
    const { id } = await client.call('createPromotion', { body: { release: 'one', environment: 'dev' } });
    const env = commandEnv(place.dataDir, place.directory);
    const commands = {
      bareMs: ['-e', '0'],
      helpMs: [PROGRAM, '--help'],
      readMs: [PROGRAM, 'promotion', 'status', id, '-o', 'json'],
    } as const;
    return [{ bench: 'cli', ...(await measure(commands, env)) }];
  } finally {
    await place.remove();
  }
}

/** Medians of the rounds. */
async function measure<Name extends string>(
  commands: Readonly<Record<Name, readonly string[]>>,
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, number>>> {
  const took = new Map<string, number[]>(Object.keys(commands).map((name) => [name, []]));
  for (let round = -WARM_ROUNDS; round < ROUNDS; round += 1) {
    for (const [name, args] of Object.entries<readonly string[]>(commands)) {
      const ms = await time(args, env);
      if (round >= 0) took.get(name)?.push(ms);
    }
    if (round > 0 && round % 10 === 0) note(`${round} of ${ROUNDS} rounds`);
  }
  return Object.fromEntries([...took].map(([name, ms]) => [name, Math.round(percentile(ms, 0.5) * 10) / 10]));
}

/** From just before the process is made to its end. */
function time(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const startedAtMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { env, stdio: 'ignore', timeout: COMMAND_TIMEOUT_MS });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve(performance.now() - startedAtMs);
      else reject(new Error(`node ${args.join(' ')} ended with ${code}`));
    });
  });
}

/** `NODE_EXTRA_CA_CERTS` costs 60 ms at every start of node, which is not ours. */
function commandEnv(dataDir: string, home: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '', HOME: home, STELLA_DATA_DIR: dataDir };
}
