/** Which places change hands between components, which host they are on, and what keeps their fence. */
import { makeCommandTarget, makeComposeTarget, makeDockerTarget, makeTarget } from '@stella/testkit';
import { describe, expect, it } from 'vitest';
import type { ComposeTargetDefinition } from './target-definition.ts';
import { doOverlap, doShareSpace, fenceKeeperOf, findMovedTarget, hostNameOf } from './target-places.ts';

const web = makeTarget({ name: 'web-1', directory: '/srv/shop' });

describe('findMovedTarget', () => {
  it.each([
    ['the same name for another component', makeTarget({ name: 'web-1', component: 'api', directory: '/srv/api' })],
    [
      'the same directory for another component',
      makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop' }),
    ],
    ['a directory within it', makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop/api' })],
    ['a directory around it', makeTarget({ name: 'api-1', component: 'api', directory: '/srv' })],
  ])('finds %s', (_what, target) => {
    expect(findMovedTarget([web], [target])).toBe(target);
  });

  it.each([
    ['the same target', web],
    ['another directory for the same component', makeTarget({ name: 'web-1', directory: '/srv/new' })],
    ['the same directory under another name', makeTarget({ name: 'web-2', directory: '/srv/shop' })],
    ['a place of its own', makeTarget({ name: 'api-1', component: 'api', directory: '/srv/shop-api' })],
  ])('leaves %s alone', (_what, target) => {
    expect(findMovedTarget([web], [target])).toBeNull();
  });
});

describe('doOverlap', () => {
  it('looks at whole names', () => {
    expect(doOverlap('/srv/shop', '/srv/shop/web')).toBe(true);
    expect(doOverlap('/srv/shop', '/srv/shop-2')).toBe(false);
  });
});

describe('the host of a target', () => {
  const hostOn = (address: string) => ({ ssh: { address, port: 22, user: 'deploy', key: 'env:STELLA_SECRET_KEY' } });
  const there = makeCommandTarget({ host: hostOn('10.0.0.5'), stateDirectory: '/srv/shop' });

  it('has a name when it is reached over SSH', () => {
    expect([web, makeCommandTarget(), there].map(hostNameOf)).toEqual([null, null, 'deploy@10.0.0.5:22']);
  });

  it('makes directories of one name two places', () => {
    expect(doShareSpace(web, makeCommandTarget({ stateDirectory: '/srv/shop/fence' }))).toBe(true);
    expect(doShareSpace(web, there)).toBe(false);
    expect(doShareSpace(there, makeCommandTarget({ host: hostOn('10.0.0.6'), stateDirectory: '/srv/shop' }))).toBe(
      false,
    );
  });

  it('makes containers of one name of one engine one place, by whichever path of its socket', () => {
    const container = makeDockerTarget({ name: 'a' });
    const at = (socket: string) => makeDockerTarget({ name: 'b', socket });
    expect(doShareSpace(container, at('/var/run/docker.sock'))).toBe(true);
    expect(doShareSpace(container, at('/run/docker.sock'))).toBe(true);
    expect(doShareSpace(container, at('/run/other.sock'))).toBe(false);
    expect(doShareSpace(container, makeDockerTarget({ name: 'b', container: 'other' }))).toBe(false);
    const project = makeComposeTarget({ name: 'shop-1', project: 'shop' });
    const other = (socket: string | null): ComposeTargetDefinition => ({ ...project, name: 'shop-2', socket });
    expect(doShareSpace(project, other('/run/docker.sock'))).toBe(true);
    expect(doShareSpace(project, other('/run/other.sock'))).toBe(false);
    expect(doShareSpace(project, makeComposeTarget({ name: 'shop-2', project: 'other' }))).toBe(false);
    expect(doShareSpace(container, makeDockerTarget({ name: 'b', host: hostOn('10.0.0.5') }))).toBe(false);
  });

  it('keeps the fence by a script, where the kind has no directory of its own', () => {
    const far = makeTarget({ host: hostOn('10.0.0.5') });
    expect([web, there, far].map(fenceKeeperOf)).toEqual(['directory', 'script', 'script']);
    expect(doShareSpace(far, makeTarget({ name: 'here', directory: far.directory }))).toBe(false);
    expect(doShareSpace(far, makeTarget({ name: 'other', directory: far.directory, host: hostOn('10.0.0.5') }))).toBe(
      true,
    );
  });
});
