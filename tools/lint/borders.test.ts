/** Plants a breach of every border into a copy of the tree, runs the linter on it, and looks for each one. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ZONES, zoneOf } from '../borders.ts';
import { readSourceTree } from '../code/source-tree.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const D = 'packages/domain/src/planted.ts';
const S = 'packages/server/src';

/** File, planted line, rule that must name it. The folders are those of the architecture, written again by hand. */
const PLANTS: readonly (readonly [string, string, string])[] = [
  [D, "import { sep } from 'node:path';", 'border/node'],
  [D, "import type { Stats } from 'node:fs';", 'border/node'],
  [D, "import { z } from 'zod';", 'border/npm'],
  [D, "import { ROUTES } from '@stella/contract';", 'border/zone'],
  [D, "export type { Sql } from '@stella/server';", 'border/zone'],
  [D, 'export const now = Date.now();', 'border/world'],
  [D, 'export const today = new Date();', 'border/world'],
  [D, 'export const dice = Math.random();', 'border/world'],
  [D, 'export const id = crypto.randomUUID();', 'border/world'],
  [D, 'export const { env } = process;', 'border/world'],
  [D, "export const hidden = globalThis['fetch'];", 'border/world'],
  ['packages/contract/src/planted.ts', "import { Pool } from 'pg';", 'border/npm'],
  ['packages/contract/src/planted.ts', "import { openStore } from '@stella/server';", 'border/zone'],
  ['packages/contract/src/planted.ts', 'export const answer = fetch("/");', 'border/world'],
  ['packages/contract/src/client.ts', "import { z } from 'zod';", 'border/npm'],
  ['packages/contract/src/client.ts', "import { problemSchema } from './schemas/problem.ts';", 'border/zone'],
  ['packages/contract/src/client-entry.ts', "import { request } from 'node:http';", 'border/node'],
  ['packages/contract/src/routes.ts', "import { z } from 'zod';", 'border/npm'],
  [`${S}/ports/planted.ts`, "import { openStore } from '../store/planted.ts';", 'border/zone'],
  [`${S}/ports/planted.ts`, "import { readFile } from 'node:fs/promises';", 'border/node'],
  [`${S}/store/planted.ts`, "import { run } from '../engine/worker.ts';", 'border/zone'],
  [`${S}/store/planted.ts`, "import fastify from 'fastify';", 'border/npm'],
  [`${S}/store/planted.ts`, "import { setTimeout as pause } from 'node:timers/promises';", 'border/node'],
  [`${S}/engine/planted.ts`, "import { Client } from 'pg';", 'border/npm'],
  [`${S}/engine/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/engine/planted.ts`, "import { ROUTES } from '@stella/contract';", 'border/zone'],
  [`${S}/engine/planted.ts`, 'export const timer = setTimeout(() => undefined, 1);', 'border/world'],
  [`${S}/engine/planted.ts`, 'export const late = AbortSignal.timeout(1);', 'border/world'],
  [`${S}/engine/planted.ts`, "export const lazily = import('../store/connection.ts');", 'border/zone'],
  [`${S}/engine/planted.ts`, "export const byName = (name: string) => import('../store/' + name);", 'border/computed'],
  [`${S}/engine/planted.ts`, "export const old = require('pg');", 'border/require'],
  [`${S}/engine/planted.ts`, "export type Row = import('../store/connection.ts').Session;", 'border/zone'],
  [`${S}/gates/planted.ts`, "import { request } from 'undici';", 'border/npm'],
  [`${S}/gates/planted.ts`, "import { files } from '../targets/planted.ts';", 'border/zone'],
  [`${S}/webhooks/planted.ts`, "import { readFile } from 'node:fs/promises';", 'border/node'],
  [`${S}/notify/planted.ts`, "import { createTransport } from 'nodemailer';", 'border/npm'],
  [`${S}/targets/planted.ts`, "import { spawn } from 'node:child_process';", 'border/node'],
  [`${S}/targets/planted.ts`, "import { openFile } from '../system/node-file-system.ts';", 'border/zone'],
  [`${S}/registry/planted.ts`, "import { get } from 'node:http';", 'border/node'],
  [`${S}/registry/planted.ts`, "import { createHash, randomBytes } from 'node:crypto';", 'border/node'],
  [`${S}/registry/planted.ts`, "import * as everything from 'node:crypto';", 'border/node'],
  [`${S}/config/planted.ts`, 'export const home = process.env;', 'border/world'],
  [`${S}/auth/planted.ts`, "import { Pool } from 'pg';", 'border/npm'],
  [`${S}/auditor/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/diagnosis/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/doctor/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/offline/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/faults/planted.ts`, "import { run } from '../engine/worker.ts';", 'border/zone'],
  [`${S}/probes/planted.ts`, "import { lookUp } from '../system/network-probe.ts';", 'border/zone'],
  [`${S}/sequencer/planted.ts`, "import { appendChain } from '../store/chain-rows.ts';", 'border/zone'],
  [`${S}/metrics/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/data-dir/planted.ts`, "import { writeFile } from 'node:fs/promises';", 'border/node'],
  [`${S}/supervision/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/postgres/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/http/planted.ts`, "import { openStore } from '../store/connection.ts';", 'border/zone'],
  [`${S}/http/planted.ts`, "import { startWorker } from '../engine/worker.ts';", 'border/zone'],
  [`${S}/http/planted.ts`, "import { Pool } from 'pg';", 'border/npm'],
  [`${S}/http/planted.ts`, "export const say = () => console.log('x');", 'border/world'],
  [`${S}/system/planted.ts`, "import { startWorker } from '../engine/worker.ts';", 'border/zone'],
  [`${S}/main/planted.ts`, "import { Pool } from 'pg';", 'border/npm'],
  [`${S}/index.ts`, "import { Pool } from 'pg';", 'border/npm'],
  [`${S}/service.ts`, "import { Pool } from 'pg';", 'border/npm'],
  [`${S}/new-folder/planted.ts`, 'export const nothing = 0;', 'border/zone'],
  ['packages/cli/src/drills/planted.ts', "import { startServer } from '@stella/server';", 'border/zone'],
  ['packages/cli/src/planted.ts', "import { startServer } from '@stella/server';", 'border/zone'],
  ['packages/cli/src/planted.ts', "export const server = import('@stella/server');", 'border/zone'],
  ['packages/cli/src/planted.ts', "import { problemSchema } from '@stella/contract';", 'border/zone'],
  ['packages/cli/src/planted.ts', "import { worker } from '../../server/src/engine/worker.ts';", 'border/package'],
  ['packages/cli/src/planted.ts', "import { worker } from '@stella/server/src/engine/worker.ts';", 'border/package'],
  ['packages/cli/src/planted.ts', "import { other } from './other';", 'border/extension'],
  ['packages/cli/src/commands/orch/serve.ts', "import { startServer } from '@stella/server';", 'border/zone'],
  [
    'packages/cli/src/commands/service/planted.ts',
    "import { readReport } from '@stella/server/service';",
    'border/zone',
  ],
  ['packages/testkit/src/planted.ts', "import { run } from '@stella/cli';", 'border/zone'],
  ['packages/testkit/src/planted.ts', "import { plantedTest } from './planted.test.ts';", 'border/test'],
  ['tools/planted.ts', "import { run } from '@stella/testkit';", 'border/zone'],
  ['bench/planted.ts', "import { run } from '@stella/cli';", 'border/zone'],
  ['examples/planted.ts', "import { startServer } from '@stella/server';", 'border/zone'],
  ['vitest.config.ts', "import { x } from '@stella/domain';", 'border/zone'],
];

/** Lines that must stay allowed, or the borders would forbid the design itself. */
const ALLOWED: readonly (readonly [string, string])[] = [
  [D, "import { sha256 } from '@noble/hashes/sha2.js';"],
  [D, 'export const epoch = new Date(0).toISOString();'],
  [D, 'export const max = Math.max(1, 2);'],
  [D, 'export const local = (fetch: () => number) => fetch();'],
  [D, 'export const member = (clock: { now: { fetch: number } }) => clock.now.fetch;'],
  [`${S}/ports/planted.ts`, "import type { Stats } from 'node:fs';"],
  [`${S}/engine/planted.ts`, "import type { Clock } from '../ports/clock.ts';"],
  [`${S}/registry/planted.ts`, "import { createHash } from 'node:crypto';"],
  [`${S}/system/planted.ts`, "import { readFile } from 'node:fs/promises';"],
  [`${S}/main/planted.ts`, "import { openStore } from '../store/connection.ts';"],
  ['packages/cli/src/planted.ts', "import type { Problem } from '@stella/contract';"],
  ['packages/cli/src/planted.ts', "import { callApi } from '@stella/contract/client';"],
  ['packages/cli/src/planted.ts', "import { orchServe } from './commands/orch/serve.ts';"],
  ['packages/cli/src/commands/orch/serve.ts', "export const server = () => import('@stella/server');"],
  ['packages/server/test/integration/planted.test.ts', "import { openStore } from '../../src/store/connection.ts';"],
];

let copy = '';
let output = '';
let exitCode: number | null = null;

/** Appends a line and says where it stands. */
function plant(path: string, text: string, places: Map<string, number>): void {
  const file = join(copy, path);
  mkdirSync(dirname(file), { recursive: true });
  const line = (places.get(path) ?? 0) + 1;
  places.set(path, line);
  if (line === 1) writeFileSync(file, '');
  appendFileSync(file, `${text}\n`);
}

const breaches: { path: string; line: number; rule: string; text: string }[] = [];
const permitted: { path: string; line: number; text: string }[] = [];

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'stella-borders-'));
  for (const path of readSourceTree(ROOT).paths.filter((name) => /\.(ts|json)$/.test(name))) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    cpSync(join(ROOT, path), join(copy, path));
  }
  const places = new Map<string, number>();
  for (const [path, text, rule] of PLANTS) {
    plant(path, text, places);
    breaches.push({ path, line: places.get(path) ?? 0, rule, text });
  }
  for (const [path, text] of ALLOWED) {
    plant(path, text, places);
    permitted.push({ path, line: places.get(path) ?? 0, text });
  }
  const run = spawnSync(process.execPath, ['--import', 'tsx', join(ROOT, 'tools/lint.ts'), '--root', copy], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  });
  exitCode = run.status;
  output = run.stdout;
}, 90_000);

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe('borders', () => {
  it.each(PLANTS.map((item, index) => [item[0], item[1], index] as const))('%s refuses: %s', (_path, _text, index) => {
    const { path, line, rule } = breaches[index] ?? { path: '', line: 0, rule: '' };
    expect(output.split('\n').filter((row) => row.startsWith(`${path}:`))).toContainEqual(
      expect.stringMatching(
        new RegExp(`^${path}:${rule === 'border/zone' && path.includes('new-folder') ? 1 : line} ${rule}: .+; .+`),
      ),
    );
  });

  it.each(ALLOWED.map((item, index) => [item[0], item[1], index] as const))('%s allows: %s', (_path, _text, index) => {
    const { path, line } = permitted[index] ?? { path: '', line: 0 };
    expect(line).toBeGreaterThan(0);
    expect(output.split('\n').filter((row) => row.startsWith(`${path}:${line} `))).toEqual([]);
  });

  it('makes the linter fail', () => {
    expect(exitCode).toBe(1);
  });

  it('plants a breach in every zone', () => {
    const planted = new Set(PLANTS.map(([path]) => zoneOf(path)?.folder));
    expect(ZONES.map((zone) => zone.folder).filter((folder) => !planted.has(folder))).toEqual([]);
  });
});

describe('oxlint', () => {
  it('fails on what the house style forbids', () => {
    const folder = mkdtempSync(join(tmpdir(), 'stella-oxlint-'));
    try {
      cpSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
      writeFileSync(
        join(folder, 'planted.ts'),
        'export default function f(x: any): void {\n  try {\n    x!.go();\n  } catch {}\n}\n',
      );
      const run = spawnSync(join(ROOT, 'node_modules/.bin/oxlint'), ['--format', 'unix', '.'], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect(run.status).toBe(1);
      for (const rule of ['no-default-export', 'no-explicit-any', 'no-empty', 'no-non-null-assertion']) {
        expect(run.stdout).toContain(rule);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
