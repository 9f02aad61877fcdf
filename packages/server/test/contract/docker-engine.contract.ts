/** What every `DockerEngine` does, in memory and for real (`ports/docker-engine.ts`). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerSpec, DockerEngine } from '../../src/ports/docker-engine.ts';

export interface DockerWorld {
  open(): DockerEngine;
  /** `127.0.0.1:5000/shop/api`, with an artifact that sleeps. */
  readonly repository: string;
  readonly digest: string;
  close(): Promise<void>;
}

export function describeDockerEngine(kind: string, make: () => Promise<DockerWorld>): void {
  describe(`a Docker engine, ${kind}`, () => {
    let world: DockerWorld;
    beforeAll(async () => {
      world = await make();
    });
    afterAll(() => world.close());

    const specOf = (reference: string): ContainerSpec => ({
      Image: reference,
      Labels: { 'dev.stella.target': 'api' },
      HostConfig: { NetworkMode: 'none' },
    });

    it('tells what it is, pulls by digest, and runs what it pulled', async () => {
      const engine = world.open();
      expect(await engine.facts()).toMatchObject({ os: 'linux', version: expect.stringMatching(/^\d+\./) as string });
      expect(await engine.storePath()).toMatch(/^\//);
      const { repository, digest } = world;
      const reference = `${repository}@${digest}`;
      expect(await engine.findImage(reference)).toBeNull();
      await engine.pull(repository, digest, { username: 'ana', password: 'not needed' });
      const found = await engine.findImage(reference);
      expect(found).toMatchObject({ repoDigests: [reference], hasHealthCheck: false });
      expect(await engine.findImage(found?.id ?? '')).toEqual(found);
      const id = await engine.create('api', specOf(reference));
      expect(await engine.inspect('api')).toMatchObject({ id, name: 'api', state: 'created', imageId: found?.id });
      await engine.start(id);
      await engine.start(id);
      expect(await engine.list({ 'dev.stella.target': 'api' })).toEqual([id]);
      expect(await engine.list({ 'dev.stella.target': 'web' })).toEqual([]);
      expect(await engine.inspect(id)).toMatchObject({ state: 'running', health: 'none', error: '' });
      await expect(engine.create('api', specOf(reference))).rejects.toMatchObject({ status: 409 });
      await engine.rename(id, 'api.former');
      expect(await engine.inspect('api')).toBeNull();
      await engine.stop(id, 1_000);
      await engine.stop(id, 1_000);
      expect(await engine.inspect('api.former')).toMatchObject({ state: 'exited' });
      await engine.remove(id);
      await engine.remove(id);
      expect(await engine.inspect('api.former')).toBeNull();
      engine.close();
    });

    it('fails with what the engine says, and goes on', async () => {
      const engine = world.open();
      const missing = `sha256:${'0'.repeat(64)}`;
      await expect(engine.pull(world.repository, missing, null)).rejects.toMatchObject({ status: 404 });
      await expect(engine.create('other', specOf(`${world.repository}@${missing}`))).rejects.toMatchObject({
        status: 404,
      });
      await expect(engine.start('none')).rejects.toMatchObject({ status: 404 });
      await expect(engine.rename('none', 'some')).rejects.toMatchObject({ status: 404 });
      expect(await engine.inspect('none')).toBeNull();
      engine.close();
    });

    it('says without a status that nothing came back, when its stream has ended', async () => {
      const engine = world.open();
      await engine.facts();
      engine.close();
      await expect(engine.facts()).rejects.toMatchObject({ name: 'EngineFailure', status: null });
      await expect(engine.remove('none')).rejects.toMatchObject({ name: 'EngineFailure', status: null });
    });
  });
}
