/** Registries and artifacts: a real registry that is closed, refuses, has lost or changed what it had. */
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeArtifact } from '../artifact.ts';
import type { Drill } from '../drill.ts';
import { type PeerModes, WELL } from '../place.ts';
import type { World } from '../world.ts';

function registryDrill(cause: Drill['cause'], fault: string, broken: Partial<PeerModes>): Drill {
  return {
    cause,
    fault,
    async inject(world) {
      await world.apply({});
      const release = await world.release('1');
      world.behave(broken);
      return world.promote(release);
    },
    repair: async (world) => world.behave(WELL),
  };
}

/** Someone builds it anew and promotes that: what was released never changes. */
const refused: Drill = {
  cause: 'artifact.refused',
  fault: 'a path of the artifact leads out of where it is unpacked',
  curedByRelease: '2',
  async inject(world) {
    await world.apply({});
    const content = { path: '../outside', text: 'x' };
    return world.promote(await world.release('1', { content }));
  },
  async repair(world) {
    await world.promote(await world.release('2'));
  },
};

/** Beside the directory of all drills, and so not among what the server allows. */
function outsideOf({ place, name }: World): string {
  return join(dirname(dirname(place.directory)), `${name}-outside`);
}

const misconfigured: Drill = {
  cause: 'registry.misconfigured',
  fault: 'the directory of an image layout leads out of the allowed ones',
  needs: ['layouts'],
  async inject(world) {
    await world.apply({});
    const { layout } = world.place;
    const digest = await writeArtifact(layout, { path: 'index.html', text: world.name });
    const release = `${world.name}-1`;
    const components = [{ name: 'app', artifact: `oci-layout:${layout}@${digest}` }];
    await world.client.call('createRelease', { body: { name: release, components } });
    renameSync(layout, outsideOf(world));
    symlinkSync(outsideOf(world), layout);
    return world.promote(release);
  },
  async repair(world) {
    rmSync(world.place.layout);
    renameSync(outsideOf(world), world.place.layout);
  },
};

export const REGISTRY_DRILLS: readonly Drill[] = [
  registryDrill('registry.unreachable', 'the port of the registry is closed', { isRegistryOpen: false }),
  registryDrill('registry.credentials', 'the registry answers 403', { registry: 'denied' }),
  misconfigured,
  registryDrill('registry.artifact_missing', 'the registry has lost the artifact', { registry: 'missing' }),
  registryDrill('registry.digest_mismatch', 'the registry sends other bytes', { registry: 'other_bytes' }),
  refused,
];
