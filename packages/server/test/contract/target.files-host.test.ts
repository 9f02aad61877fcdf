/** The `files` target on a host, reached as this machine is: the contract of targets, and what is its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '@stella/domain';
import { writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OperationAnswer } from '../../src/ports/target.ts';
import type { OpenHost } from '../../src/ports/target-host.ts';
import { makeLocalHost } from '../../src/system/local-host.ts';
import { whyNoMount } from '../integration/postgres-fixture.ts';
import {
  call,
  componentOf,
  makeTargetPlace,
  namesIn,
  openTarget,
  pageIn,
  type TargetOptions,
  type TargetPlace,
} from './files-target-fixture.ts';
import { describeHealthProgram } from './health-program.contract.ts';
import { describeTarget } from './target.contract.ts';

const VERSIONS = ['1', '2', '3', '4', '5'];
/** Its way there is the fixture's. */
const HOST = { ssh: { address: 'web.example', port: 22, user: 'deploy', key: 'file:/key', hostKey: 'SHA256:x' } };

async function makePlace(): Promise<TargetPlace> {
  const place = makeTargetPlace();
  await writeOciLayout(
    place.layout,
    VERSIONS.map((tag) => ({ tag, files: { 'index.html': `page ${tag}`, 'css/style.css': `/* ${tag} */` } })),
  );
  return place;
}

const open = (place: TargetPlace, options: TargetOptions = {}) =>
  openTarget(place, { ...options, definition: { ...options.definition, host: HOST } });

describeTarget('files on a host', async () => {
  const place = await makePlace();
  return {
    open: () => open(place),
    components: [await componentOf(place, '1'), await componentOf(place, '2')],
    tamper: async () => {
      await chmod(join(place.directory, 'current', 'index.html'), 0o600);
      await appendFile(join(place.directory, 'current', 'index.html'), '!');
    },
    remove: () => place.remove(),
  };
});

describeHealthProgram('files on a host', async () => {
  const place = await makePlace();
  const component = await componentOf(place, '1');
  await open(place).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
  return {
    ...place,
    target: 'web',
    component: 'web',
    isHere: false,
    digest: component.digest,
    open: (health) => open(place, { definition: { health } }),
  };
});

describe('a files target on a host', () => {
  let place: TargetPlace;
  beforeEach(async () => {
    place = await makePlace();
  });
  afterEach(() => place.remove());

  const deploy = async (n: number, tag: string, options: TargetOptions = {}) =>
    open(place, options).deploy(call(), { epoch: 1, n }, `op-${n}`, await componentOf(place, tag));
  const observe = async (): Promise<string> => {
    const answer = await open(place).observe(call());
    return answer.outcome === 'ok' ? answer.observation.message : answer.message;
  };

  it('serves whole trees under one link for users of all kinds, and keeps the last three', async () => {
    for (const [index, tag] of VERSIONS.entries()) {
      expect(await deploy(index + 1, tag)).toMatchObject({ outcome: 'succeeded' });
      expect([pageIn(place), pageIn(place, 'css/style.css')]).toEqual([`page ${tag}`, `/* ${tag} */`]);
    }
    expect(namesIn(place, 'releases')).toHaveLength(3);
    expect(namesIn(place, '.stella', 'indexes')).toHaveLength(3);
    expect([namesIn(place, '.stella', 'staging'), namesIn(place, '.stella', 'trash')]).toEqual([[], []]);
    expect(await readlink(join(place.directory, 'current'))).toMatch(/^releases\//);
    const modeOf = async (...path: string[]) => (await stat(join(place.directory, ...path))).mode & 0o7777;
    expect(await Promise.all([modeOf(), modeOf('releases'), modeOf('current'), modeOf('.stella', 'fence')])).toEqual([
      0o755, 0o755, 0o755, 0o700,
    ]);
    // What was on its way lies nowhere on the orchestrator's machine.
    expect(namesIn({ directory: place.root })).toEqual(['shop', 'web']);
  });

  it('comes back to a kept release without its registry, and not to one that is damaged', async () => {
    await deploy(1, '1');
    await deploy(2, '2');
    const first = await componentOf(place, '1');
    const gone = { ...first, source: { ...first.source, directory: join(place.root, 'nowhere') } };
    const back = (n: number) => open(place).rollback(call(), { epoch: 1, n }, `op-${n}`, gone);
    expect(await back(3)).toMatchObject({
      outcome: 'succeeded',
      message: expect.stringContaining('still on disk') as string,
    });
    expect([pageIn(place), namesIn(place, '.stella', 'indexes').length]).toEqual(['page 1', 2]);
    await deploy(4, '2');
    const kept = namesIn(place, 'releases').find((name) => name.startsWith(first.digest.slice(7))) ?? '';
    await writeFile(join(place.directory, 'releases', kept, 'index.html'), 'page !');
    expect(await back(5)).toMatchObject({ outcome: 'failed' });
    expect(pageIn(place)).toBe('page 2');
  });

  it('carries every kind of name, mode and link, and what a layer above hides', async () => {
    const long = `${'long/'.repeat(30)}name`;
    const image = {
      tag: 'odd',
      files: {
        'with space/ü\nline.txt': 'odd',
        [long]: 'far',
        'big.bin': 'x'.repeat(3_000_000),
        empty: '',
        gone: 'old',
      },
      layers: [
        [
          { path: '.wh.gone' },
          { path: 'bin/run', content: '#!/bin/sh', mode: 0o4755 },
          { path: 'bin/same', type: 'link', linkTarget: 'bin/run' },
          { path: 'bin/go', type: 'symlink', linkTarget: '..//bin/run' },
          { path: 'closed', type: 'directory', mode: 0o500 },
          { path: 'closed/file', content: 'in', mode: 0o400 },
        ],
      ],
    } as const;
    await writeOciLayout(place.layout, [image]);
    expect(await deploy(1, 'odd')).toMatchObject({ outcome: 'succeeded' });
    expect(await observe()).toBe('');
    expect(pageIn(place, 'with space/ü\nline.txt')).toBe('odd');
    expect(pageIn(place, long)).toBe('far');
    expect(pageIn(place, 'big.bin')).toHaveLength(3_000_000);
    expect([pageIn(place, 'gone'), pageIn(place, 'bin/same'), pageIn(place, 'closed/file')]).toEqual([
      null,
      '#!/bin/sh',
      'in',
    ]);
    expect(await readlink(join(place.directory, 'current', 'bin', 'go'))).toBe('..//bin/run');
    expect((await stat(join(place.directory, 'current', 'bin', 'run'))).mode & 0o7777).toBe(0o755);
  });

  it('names a missing file, an added one, a changed one and a changed mode', async () => {
    await deploy(1, '1');
    const current = join(place.directory, 'current');
    await writeFile(join(current, 'css', 'extra.css'), '');
    expect(await observe()).toBe('what runs is not whole: "css/extra.css" does not belong to it');
    await rm(join(current, 'css', 'extra.css'));
    expect(await observe()).toBe('');
    await chmod(join(current, 'css', 'style.css'), 0o777);
    expect(await observe()).toBe('what runs is not whole: "css/style.css" was changed');
    await rm(join(current, 'css', 'style.css'));
    expect(await observe()).toContain('"css/style.css" is missing');
    await rm(join(place.directory, '.stella', 'indexes'), { recursive: true });
    expect(await observe()).toContain('its file index is missing');
  });

  it('replaces a link to elsewhere, and refuses a directory in its way before anything is changed', async () => {
    await mkdir(place.directory, { recursive: true });
    await symlink('/nowhere', join(place.directory, 'current'));
    expect(await deploy(1, '1')).toMatchObject({ outcome: 'succeeded' });
    await rm(join(place.directory, 'current'));
    await mkdir(join(place.directory, 'current'));
    const probe = await open(place).probe(call());
    expect(probe).toMatchObject({ outcome: 'failed', code: 'target.disk' });
    expect(probe.stages.at(-1)).toMatchObject({ stage: 'path', code: 'path.in_the_way' });
    expect(await deploy(2, '2')).toMatchObject({ outcome: 'failed', code: 'target.disk' });
  });

  it('leaves what runs when the connection is cut in the middle, and goes on from there', async () => {
    await deploy(1, '1');
    const controller = new AbortController();
    const cutting: OpenHost = () => {
      const host = makeLocalHost({ home: place.root });
      return {
        ...host,
        open: async (argv, options) => {
          const program = await host.open(argv, options);
          const write = program.stream.write.bind(program.stream);
          program.stream.write = ((chunk: string | Uint8Array) => {
            const isArchive = typeof chunk !== 'string';
            if (isArchive) controller.abort();
            return write(isArchive ? chunk.subarray(0, chunk.length / 2) : chunk);
          }) as typeof write;
          return program;
        },
      };
    };
    const target = open(place, { openHost: cutting });
    const wish = { signal: controller.signal, timeoutMs: 20_000 };
    expect(await target.deploy(wish, { epoch: 1, n: 2 }, 'op-2', await componentOf(place, '2'))).toMatchObject({
      outcome: 'errored',
      code: 'target.interrupted',
    });
    expect([await observe(), pageIn(place)]).toEqual(['', 'page 1']);
    expect(await deploy(3, '2')).toMatchObject({ outcome: 'succeeded' });
    expect([pageIn(place), namesIn(place, '.stella', 'staging')]).toEqual(['page 2', []]);
  });

  it('takes of an index the manifest for the platform of the host, and tells which', async () => {
    const machine = (name: string): OpenHost => {
      const host = makeLocalHost({ home: place.root });
      return () => ({
        ...host,
        open: (argv, options) =>
          host.open(argv.map((word) => word.replace('uname -m', `echo ${name}`)) as [string], options),
      });
    };
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const [image] = await writeOciLayout(place.layout, [{ tag: 'index', files: { a: 'a' }, platforms }]);
    const digestOf = (architecture: string): Digest | undefined =>
      image?.manifests.find(({ platform }) => platform.architecture === architecture)?.digest;
    const at = async (n: number, name: string): Promise<OperationAnswer> => {
      await rm(place.directory, { recursive: true, force: true });
      return deploy(n, 'index', { openHost: machine(name) });
    };
    expect(await at(1, 'aarch64')).toMatchObject({
      digest: image?.digest,
      message: expect.stringContaining(`${digestOf('arm64')}`) as string,
    });
    expect(await at(2, 'x86_64')).toMatchObject({ message: expect.stringContaining(`${digestOf('amd64')}`) as string });
    expect(await at(3, 'riscv64')).toMatchObject({ outcome: 'failed', code: 'registry.bad_manifest' });
  });

  it('names what the host lacks', async () => {
    const bare: OpenHost = () => {
      const host = makeLocalHost({ home: place.root });
      return {
        ...host,
        open: (argv, options) =>
          host.open(argv.map((word) => word.replace('grep -q GNU', 'false')) as [string], options),
      };
    };
    const probe = await open(place, { openHost: bare }).probe(call());
    expect(probe).toMatchObject({ outcome: 'failed', code: 'target.program_missing' });
    expect(probe.stages.at(-1)).toMatchObject({
      stage: 'programs',
      detail: expect.stringContaining('GNU tar') as string,
    });
  });

  it.skipIf(whyNoMount() !== null)('fails as target.disk_full on a full disk, and leaves what runs whole', async () => {
    const files = { 'large.bin': Buffer.alloc(4 * 1_048_576, 1) };
    await writeOciLayout(place.layout, [{ tag: 'large', files }]);
    await mkdir(place.directory);
    // The mount, and all that is on it, ends with the process.
    const script = `mount -t tmpfs -o size=2m tmpfs '${place.directory}' && echo mounted && exec cat`;
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script]);
    const gone = once(holder, 'exit');
    await once(holder.stdout, 'data');
    const inside: readonly [string, ...string[]] = ['nsenter', `--target=${holder.pid}`, '--mount', '--'];
    const host = makeLocalHost({ home: place.root });
    const openHost: OpenHost = () => ({
      ...host,
      run: (argv, options) => host.run([...inside, ...argv], options),
      open: (argv, options) => host.open([...inside, ...argv], options),
    });
    expect(await deploy(1, '1', { openHost })).toMatchObject({ outcome: 'succeeded' });
    expect(await deploy(2, 'large', { openHost })).toMatchObject({
      outcome: 'failed',
      code: 'target.disk_full',
      message: expect.stringContaining('large.bin') as string,
    });
    const answer = await open(place, { openHost }).observe(call());
    expect(answer).toMatchObject({ observation: { digest: (await componentOf(place, '1')).digest, message: '' } });
    expect(await deploy(3, '2', { openHost })).toMatchObject({ outcome: 'succeeded' });
    holder.stdin.end();
    await gone;
  });
});
