import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findDockerRegistry, startDockerRegistry, writeOciLayout } from '@stella/testkit';
import { describe, it } from 'vitest';
import { NOTHING_DECLARED } from '../../packages/server/test/contract/nothing-declared.ts';
import { describeRegistryContract } from '../../packages/server/test/contract/registry.contract.ts';
import { makeRegistry } from '../../packages/server/src/registry/open-registry.ts';
import { makeHttpClient } from '../../packages/server/src/system/http-client.ts';
import { nodeClock } from '../../packages/server/src/system/node-clock.ts';
import { nodeFileSystem } from '../../packages/server/src/system/node-file-system.ts';

const binary = findDockerRegistry();

if (binary === null) {
  describe('registry contract: docker-registry', () => {
    it.skip('missing component: docker-registry (tools/install-system-deps.sh installs it)', () => undefined);
  });
} else {
  describeRegistryContract('docker-registry', async () => {
    const running = await startDockerRegistry(binary);
    const layouts = await mkdtemp(join(tmpdir(), 'stella-layouts-'));
    const http = makeHttpClient({ allowedRanges: ['127.0.0.0/8'] });
    return {
      registry: makeRegistry({
        accesses: NOTHING_DECLARED,
        http,
        fileSystem: nodeFileSystem,
        clock: nodeClock,
        layoutRoots: [],
      }),
      publish: async (name, images) => {
        const layout = join(layouts, name);
        const written = await writeOciLayout(layout, images);
        for (const image of written) await running.push(layout, image, `shop/${name}`);
        return written;
      },
      sourceOf: (name) => ({ kind: 'registry', registry: running.address, repository: `shop/${name}` }),
      blobPath: (_name, digest) => running.blobPath(digest),
      close: async () => {
        await http.close();
        await running.stop();
        await rm(layouts, { recursive: true });
      },
    };
  });
}
