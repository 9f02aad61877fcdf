/** The `command` target on this machine: the contract of targets, and what is its own. */
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandTargetDefinition } from '@stella/domain';
import { writeOciLayout } from '@stella/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Target } from '../../src/ports/target.ts';
import { openCommandTarget } from '../../src/targets/command-target.ts';
import { type CommandPrograms, makeCommandPrograms } from './command-programs.ts';
import { call, componentOf, makeTargetPlace, targetDeps, type TargetPlace } from './files-target-fixture.ts';
import { describeHealthProgram } from './health-program.contract.ts';
import { describeTarget } from './target.contract.ts';

async function makePlace(): Promise<TargetPlace> {
  const place = makeTargetPlace();
  const tags = ['1', '2'];
  await writeOciLayout(
    place.layout,
    tags.map((tag) => ({ tag, files: { 'index.html': `page ${tag}` } })),
  );
  return place;
}

async function open(place: TargetPlace, patch: Partial<CommandTargetDefinition> = {}): Promise<Target> {
  return openWith(place, await makeCommandPrograms(place.root), patch);
}

function openWith(place: TargetPlace, programs: CommandPrograms, patch: Partial<CommandTargetDefinition>): Target {
  const definition: CommandTargetDefinition = {
    kind: 'command',
    name: 'web',
    component: 'web',
    health: null,
    deploy: [programs.deploy, programs.state],
    observe: [programs.observe, programs.state],
    stateDirectory: join(place.root, 'state'),
    ...patch,
  };
  return openCommandTarget(definition, 'prod', targetDeps(place));
}

describeTarget('command', async () => {
  const place = await makePlace();
  const target = await open(place);
  return {
    open: () => target,
    components: [await componentOf(place, '1'), await componentOf(place, '2')],
    tamper: () => writeFile(join(place.root, 'running'), ''),
    remove: () => place.remove(),
  };
});

describeHealthProgram('command', async () => {
  const place = await makePlace();
  const programs = await makeCommandPrograms(place.root);
  const component = await componentOf(place, '1');
  await openWith(place, programs, {}).deploy(call(), { epoch: 1, n: 1 }, 'op-1', component);
  return {
    ...place,
    target: 'web',
    component: 'web',
    isHere: true,
    digest: component.digest,
    open: (health) => openWith(place, programs, { health }),
  };
});

describe('a command target', () => {
  let place: TargetPlace;
  beforeEach(async () => {
    place = await makePlace();
  });
  afterEach(() => place.remove());

  const script = async (name: string, text: string): Promise<string> => {
    await mkdir(join(place.root, 'bin'), { recursive: true });
    const path = join(place.root, 'bin', name);
    await writeFile(path, `#!/bin/sh\n${text}\n`);
    await chmod(path, 0o755);
    return path;
  };
  const deploy = async (target: Target, n = 1) =>
    target.deploy(call(), { epoch: 1, n }, `op-${n}`, await componentOf(place, '1'));

  it('tells its programs what is asked of them, and nothing of the server', async () => {
    const told = join(place.root, 'told');
    const program = await script('tell', `env | grep -v "^\\(PWD\\|_\\|SHLVL\\|OLDPWD\\)=" | sort >${told}; exit 3`);
    await deploy(await open(place, { deploy: [program] }));
    const { digest } = await componentOf(place, '1');
    expect(readFileSync(told, 'utf8').replace(/^(HOME|PATH)=.*$/gm, '$1')).toBe(
      [
        'HOME',
        'LANG=C.UTF-8',
        'PATH',
        'STELLA_ACTION=deploy',
        'STELLA_COMPONENT=web',
        `STELLA_DIGEST=${digest}`,
        'STELLA_ENVIRONMENT=prod',
        'STELLA_OPERATION=op-1',
        'STELLA_TARGET=web',
        '',
      ].join('\n'),
    );
  });

  it('fails with what a program said when it says no', async () => {
    const program = await script('refuse', 'echo "no such thing" >&2; exit 3');
    expect(await deploy(await open(place, { deploy: [program] }))).toMatchObject({
      outcome: 'failed',
      code: 'target.command_failed',
      message: expect.stringContaining('exit code 3 no such thing') as string,
    });
  });

  it('does not believe a program that says ok while something else runs', async () => {
    const program = await script('pretend', 'exit 0');
    expect(await deploy(await open(place, { deploy: [program] }))).toMatchObject({
      outcome: 'failed',
      code: 'target.wrong_digest',
    });
  });

  it('takes for no digest what observe prints beside one', async () => {
    const program = await script('chat', 'echo "it runs sha256:1"');
    expect(await (await open(place, { observe: [program] })).observe(call())).toMatchObject({
      outcome: 'errored',
      code: 'target.command_failed',
    });
  });

  it('rolls back by its own program where there is one', async () => {
    const mark = join(place.root, 'rolled');
    const program = await script('back', `touch ${mark}; exec "$@"`);
    const { deploy: standard, state } = await makeCommandPrograms(place.root);
    const target = await open(place, { rollback: [program, standard, state] });
    await deploy(target);
    expect(existsSync(mark)).toBe(false);
    const back = await target.rollback(call(), { epoch: 1, n: 2 }, 'op-2', await componentOf(place, '2'));
    expect(back).toMatchObject({ outcome: 'succeeded' });
    expect(existsSync(mark)).toBe(true);
  });

  it('runs nothing that whoever started the server has not allowed', async () => {
    const target = await open(place, { deploy: ['/bin/true'] });
    expect(await deploy(target)).toMatchObject({ outcome: 'failed', code: 'target.program_forbidden' });
    const probe = await target.probe(call());
    expect(probe).toMatchObject({ outcome: 'failed', code: 'target.program_forbidden' });
    expect(probe.stages.at(-1)).toMatchObject({ stage: 'programs', code: 'path.forbidden' });
  });

  it('names a program that is not there before anything is changed', async () => {
    const missing = join(place.root, 'bin', 'missing');
    const probe = await (await open(place, { deploy: [missing] })).probe(call());
    expect(probe).toMatchObject({ outcome: 'failed', code: 'target.program_missing' });
    expect(probe.stages.at(-1)).toMatchObject({ stage: 'programs', code: 'programs.missing' });
  });

  it('keeps its state on this machine only where the server may write', async () => {
    const target = await open(place, { stateDirectory: '/elsewhere/state' });
    expect(await deploy(target)).toMatchObject({ outcome: 'failed', code: 'target.directory_forbidden' });
    expect((await target.probe(call())).stages).toMatchObject([{ stage: 'path', code: 'path.forbidden' }]);
  });
});
