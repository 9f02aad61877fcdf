/** Three hosts in networks of their own, of which one is cut off in the middle of a rolling deploy: nobody is told, answers just stop. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, startServerProcess, adminClient, waitFor } from '@stella/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createReleases,
  startTestServer,
  type TestServer,
  untilStatus,
} from '../../../packages/server/test/integration/http-fixture.ts';
import { findSshd, type SshServer, startSshd } from '../sshd.ts';
import { type Island, makeIsland } from '../torture/network.ts';

/** A cut shows after 20 s without an answer; a machine that does much else needs longer for everything around it. */
const TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 400_000;
const LETTERS = ['a', 'b', 'c'] as const;
const programs = findSshd();
const isHere = programs !== null && findProgram('ip') !== null && findProgram('nft') !== null;
const isRoot = process.getuid?.() === 0;

// Networks are for root to make; the components are those of tools/install-system-deps.sh.
describe.skipIf(!isHere || !isRoot)('a host that is cut off in the middle of a rolling deploy', () => {
  let test: TestServer;
  const islands: Island[] = [];
  const hosts: SshServer[] = [];
  const folder = (): string => join(test.place.directory, 'far');
  const at = (name: string): string => join(folder(), name);
  const read = (path = ''): Promise<string> => readFile(path, 'utf8').catch(() => '');

  beforeAll(async () => {
    if (programs === null) return;
    for (const letter of LETTERS) {
      const island = await makeIsland(letter);
      islands.push(island);
      hosts.push(await startSshd(programs, island));
    }
    const place = await startTestServer();
    await place.server.stop();
    for (const host of hosts) await host.letIn(`${hosts[0]?.keyFile}.pub`);
    const server = await startServerProcess(place.place, { env: { STELLA_SECRET_FAR: await read(hosts[0]?.keyFile) } });
    test = { ...place, server, admin: adminClient(server) };
    await createReleases(test, 2);
    await mkdir(folder());
    const hold = 'while [ -e "$1.hold" ]; do : >"$1.held"; sleep 0.2; done';
    await program('bring', `${hold}; printf "%s" "$STELLA_DIGEST" >"$1"`);
    await program('tell', '[ ! -e "$1" ] || cat "$1"');
    const targets = hosts.map(({ address, port, user, fingerprint }, index) => ({
      name: `web-${index + 1}`,
      kind: 'command',
      component: 'web',
      host: { ssh: { address, port, user, key: 'env:STELLA_SECRET_FAR', hostKey: fingerprint } },
      deploy: [at('bring'), at(`web-${index + 1}`)],
      observe: [at('tell'), at(`web-${index + 1}`)],
      stateDirectory: at(`web-${index + 1}-fence`),
    }));
    const strategy = { kind: 'rolling', maxUnavailable: 1 };
    // JSON is YAML.
    const text = JSON.stringify({ kind: 'Environment', name: 'prod', onFailure: 'hold', strategy, targets });
    await test.admin.call('applyDefinitions', { body: { documents: [{ file: 'far.yaml', text }] } });
  }, TEST_TIMEOUT_MS);
  afterAll(async () => {
    for (const host of hosts) await host.stop();
    for (const island of islands) await island.remove();
    await test.remove();
  }, TEST_TIMEOUT_MS);

  async function program(name: string, line: string): Promise<void> {
    await writeFile(at(name), `#!/bin/sh\n${line}\n`);
    await chmod(at(name), 0o755);
  }
  const promote = async (release: string): Promise<string> =>
    (await test.admin.call('createPromotion', { body: { release, environment: 'prod' } })).id;
  const until = (promotion: string, wanted: string): Promise<void> =>
    waitFor(async () => (await test.admin.call('getPromotion', { parameters: { promotion } })).status === wanted, {
      timeoutMs: TIMEOUT_MS,
      why: `the promotion is ${wanted}`,
    });
  const diagnose = (promotion: string) => test.admin.call('diagnosePromotion', { parameters: { promotion } });

  it('is named with its cause, nothing goes on beyond it, and it is finished when it is back', {
    timeout: TEST_TIMEOUT_MS,
  }, async () => {
    await untilStatus(test.admin, await promote('shop-1'), 'completed');
    const before = await read(at('web-3'));
    await writeFile(`${at('web-2')}.hold`, '');
    const id = await promote('shop-2');
    await waitFor(() => existsSync(`${at('web-2')}.held`), {
      timeoutMs: TIMEOUT_MS,
      why: 'web-2 is being deployed',
    });
    await islands[1]?.cutOff();
    await waitFor(async () => (await diagnose(id)).causes[0]?.code === 'target.unreachable', {
      timeoutMs: TIMEOUT_MS,
      why: 'the diagnosis names the cause',
    });
    const diagnosis = await diagnose(id);
    expect(diagnosis.causes[0]?.facts[0]?.what).toBe('target web-2');
    await until(id, 'failed');
    const { ending, targets } = await test.admin.call('getPromotion', { parameters: { promotion: id } });
    expect(ending?.message).toContain('web-2');
    expect(targets.map(({ name, runs }) => `${name} ${runs}`)).toEqual(['web-1 new', 'web-2 unknown', 'web-3 old']);
    expect(await read(at('web-1'))).not.toBe(before);
    expect([await read(at('web-2')), await read(at('web-3'))]).toEqual([before, before]);
    await rm(`${at('web-2')}.hold`);
    await islands[1]?.reconnect();
    const again = await test.admin.call('retryPromotion', { parameters: { promotion: id }, body: {} });
    await until(again.id, 'completed');
    const after = await read(at('web-1'));
    expect([await read(at('web-2')), await read(at('web-3'))]).toEqual([after, after]);
  });
});
