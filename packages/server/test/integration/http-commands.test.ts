/** Gates that are programs, by a real server: the one of the documentation, forbidden ones, and one that a death leaves. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adminClient, startServerProcess, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeProcesses } from '../../src/system/node-processes.ts';
import { applyEnvironments, createReleases, startTestServer, type TestServer, untilStatus } from './http-fixture.ts';

const TIMEOUT_MS = 60_000;

let test: TestServer;
let folder: string;
const env = (): Readonly<Record<string, string>> => ({ STELLA_COMMAND_DIRECTORIES: folder });

beforeAll(async () => {
  const place = await startTestServer();
  // The folder is known now; the server that may run what lies there is another one.
  folder = join(place.place.directory, 'gates');
  await mkdir(folder);
  await place.server.stop();
  const server = await startServerProcess(place.place, { env: env() });
  test = { ...place, server, admin: adminClient(server) };
  await createReleases(test, 4);
});
afterAll(() => test.remove());

async function program(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

const promote = async (release: string, environment: string): Promise<string> =>
  (await test.admin.call('createPromotion', { body: { release, environment } })).id;
const runOf = async (promotion: string) =>
  (await test.admin.call('listGateRuns', { parameters: { promotion } })).items[0];

describe('a gate that is a program', () => {
  it('says yes and no as the one of docs/environments.md, and is measured', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../../docs/environments.md'), 'utf8');
    const code = /<!-- example: command -->\n```python\n([^]*?)```/.exec(page)?.[1] ?? '';
    const path = await program('policy', code);
    const strict = await program('strict', code.replace('"debug-shell"', '"web"'));
    const gate = (where: string) => `- { name: policy, kind: command, program: ${where}, sla: 5s }`;
    await applyEnvironments(test, [
      { name: 'prod', gates: [gate(path)] },
      { name: 'strict', gates: [gate(strict)] },
    ]);
    const [good, bad] = [await promote('shop-1', 'prod'), await promote('shop-1', 'strict')];
    await untilStatus(test.admin, good, 'completed');
    await untilStatus(test.admin, bad, 'rejected');
    expect(await runOf(good)).toMatchObject({
      kind: 'command',
      state: 'passed',
      message: '1 components are fit',
      slaMs: 5_000,
      limits: { timeout: { value: '2m' } },
      measured: { attemptCount: 1 },
    });
    expect(await runOf(bad)).toMatchObject({ state: 'failed', message: 'debug-shell may not go to strict' });
    const stats = await test.admin.call('getGateStats', {
      parameters: { gate: 'policy' },
      query: { environment: 'prod' },
    });
    expect(stats.items).toMatchObject([{ passedCount: 1 }]);
    const services = await test.admin.call('listGateServices', { query: { environment: 'prod' } });
    expect(services.items).toMatchObject([{ gate: 'policy', service: path }]);
    const shown = await test.admin.call('getEnvironment', { parameters: { environment: 'prod' } });
    expect(JSON.stringify(shown)).toContain(`program: ${path}`);
  });

  it('is not run from elsewhere: the diagnosis and a probe say so', async () => {
    const gate = '- { name: policy, kind: command, program: /usr/bin/true, retries: 0 }';
    await applyEnvironments(test, [{ name: 'elsewhere', gates: [gate] }]);
    const id = await promote('shop-2', 'elsewhere');
    await waitFor(async () => (await runOf(id))?.state === 'error', { timeoutMs: TIMEOUT_MS, why: 'it is refused' });
    expect((await runOf(id))?.attempts).toMatchObject([{ outcome: 'error', code: 'gate.program_forbidden' }]);
    const { causes } = await test.admin.call('diagnosePromotion', { parameters: { promotion: id } });
    expect(causes[0]).toMatchObject({ code: 'gate.misconfigured', confidence: 'certain' });
    expect(causes[0]?.remedies[0]?.text).toContain('STELLA_COMMAND_DIRECTORIES');
    const probed = await test.admin.call('probeConnectivity', { body: { environment: 'elsewhere' } });
    expect(probed.items.find((one) => one.kind === 'gate')).toMatchObject({
      isOk: false,
      stages: [{ stage: 'path', code: 'path.forbidden' }],
    });
    await test.admin.call('cancelPromotion', { parameters: { promotion: id }, body: {} });
  });

  it('that a killed server leaves is ended by the next one, and asked again', async () => {
    const first = join(folder, 'first.pid');
    const path = await program(
      'slow',
      `#!${process.execPath}
const { existsSync, writeFileSync, renameSync } = require('node:fs');
if (existsSync('${first}')) process.exit(0);
writeFileSync('${first}.new', String(process.pid));
renameSync('${first}.new', '${first}');
setInterval(() => undefined, 1000);
`,
    );
    await applyEnvironments(test, [{ name: 'slow', gates: [`- { name: slow, kind: command, program: ${path} }`] }]);
    const id = await promote('shop-3', 'slow');
    const read = () => readFile(first, 'utf8').catch(() => '');
    await waitFor(async () => (await read()) !== '', { timeoutMs: TIMEOUT_MS, why: 'the program runs' });
    const pid = Number(await read());
    const notes = join(test.place.dataDir, `gate-programs-${process.getuid?.() ?? 0}`);
    const noted = () => readFile(join(notes, `${test.server.pid}-${pid}.json`), 'utf8').catch(() => '');
    await waitFor(async () => (await noted()).endsWith('}'), { timeoutMs: TIMEOUT_MS, why: 'it is noted' });
    await test.server.kill();
    expect(await nodeProcesses.inspect(pid)).not.toBeNull();
    const server = await startServerProcess(test.place, { env: env() });
    test = { ...test, server, admin: adminClient(server) };
    expect(await nodeProcesses.inspect(pid)).toBeNull();
    await untilStatus(test.admin, id, 'completed');
    expect((await runOf(id))?.attempts).toMatchObject([{ number: 1, outcome: 'passed' }]);
  });
});
