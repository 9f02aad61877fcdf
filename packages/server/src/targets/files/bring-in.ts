/**
 * One operation at a `files` target on a host, inside of the fence, over a session with its directory: a kept release that
 * is whole is used again; otherwise the artifact is unpacked on this machine, sent, compared there, and switched to.
 */
import { compareFences, type FilesTargetDefinition, formatSource, type ReleaseComponent } from '@stella/domain';
import type { OperationAnswer } from '../../ports/target.ts';
import type { CallScope } from '../call-scope.ts';
import type { FencedHost, Operation } from '../fenced-host.ts';
import { randomSuffix, type TargetDeps } from '../target-deps.ts';
import type { UnpackLimits } from './entry-path.ts';
import { makeReleaseName, type ReleaseName } from './files-place.ts';
import type { HostSession } from './host-session.ts';
import { readLayers, unpackedWords } from './read-layers.ts';
import { chooseRemoved } from './remove-releases.ts';
import { openSpool } from './spool-disk.ts';
import { walkTree } from './tree-nodes.ts';
import { unpackLayers } from './unpack-layers.ts';

/** Trees of one digest that are looked at before it is unpacked anew; more than one is rare. */
const CANDIDATES_MAX = 3;

export interface BringIn {
  readonly deps: TargetDeps;
  readonly definition: FilesTargetDefinition;
  readonly fence: FencedHost;
  readonly session: HostSession;
  readonly operation: Operation;
  readonly component: ReleaseComponent;
  readonly limits: UnpackLimits;
  readonly scope: CallScope;
}

/** Throws what stands before the switch; the directory then is as it was, but for what the next operation clears. */
export async function bringIn(wish: BringIn): Promise<OperationAnswer> {
  const { session, component, fence, operation, scope, definition } = wish;
  const { digest } = component;
  await session.step('clean');
  const current = await session.readCurrent();
  const running = current.kind === 'release' ? current.name : null;
  if (running?.digest === digest && (await session.findDifference(running)) === null) {
    await fence.check(scope, operation);
    return { outcome: 'succeeded', digest, message: 'runs already and is whole' };
  }
  const name = makeReleaseName(digest, operation.fence, randomSuffix(wish.deps));
  const message = (await useAgain(wish, running, name)) ?? (await sendAnew(wish, name));
  await fence.check(scope, operation);
  await session.step('switch', name.text);
  await tidy(wish, { fence: operation.fence, current: name, keepCount: definition.keepCount });
  return { outcome: 'succeeded', digest, message: `${message}; switched` };
}

/** A kept tree, read to the last byte, gets the new name. Null: there is none that is whole. */
async function useAgain(
  { deps, session, component, definition }: BringIn,
  running: ReleaseName | null,
  name: ReleaseName,
): Promise<string | null> {
  const candidates = (await session.listReleases())
    .filter(({ digest, text }) => digest === component.digest && text !== running?.text)
    .sort((a, b) => compareFences(b.fence, a.fence));
  for (const candidate of candidates.slice(0, CANDIDATES_MAX)) {
    const difference = await session.findDifference(candidate);
    if (difference === null) {
      await session.step('reuse', candidate.text, name.text);
      return 'was still on disk and is whole';
    }
    const about = { target: definition.name, release: candidate.text, difference };
    deps.logger.warn(about, 'an unpacked release is damaged');
    await session.step('drop', candidate.text);
  }
  return null;
}

/** Of an index the manifest for the host's platform. */
async function sendAnew(wish: BringIn, name: ReleaseName): Promise<string> {
  const { deps, session, component, fence, operation, limits, scope, definition } = wish;
  const { name: target } = definition;
  const platform = { os: 'linux', architecture: ociArchitecture(await session.step('machine')) };
  const pick: TargetDeps['pickManifest'] = (index) =>
    deps.pickManifestFor(index, platform, formatSource(component.source));
  const found = await readLayers(deps, component, pick, scope);
  const spool = await openSpool(deps, target);
  try {
    const root = await unpackLayers(
      deps,
      {
        target,
        source: component.source,
        layers: found.layers,
        disk: spool.disk,
        limits,
        checkAllowed: () => fence.check(scope, operation),
      },
      scope,
    );
    await session.receive(name, spool.archive(root));
    const fileCount = [...walkTree(root)].filter(({ node }) => node.kind === 'file').length;
    return `was unpacked and sent: ${unpackedWords(fileCount, found)}`;
  } finally {
    await spool.close();
  }
}

/** Names of uname(1) → OCI's (Go's GOARCH values), where they differ. */
const OCI_ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv6l: 'arm',
  armv7l: 'arm',
  i386: '386',
  i686: '386',
};

function ociArchitecture(machine: string): string {
  const name = machine.trim();
  return OCI_ARCHITECTURES[name] ?? name;
}

/** Old trees that cannot be removed do not change what was achieved; a later operation tries again. */
async function tidy({ deps, session, definition }: BringIn, wish: Parameters<typeof chooseRemoved>[1]): Promise<void> {
  try {
    const removed = chooseRemoved(await session.listReleases(), wish).map(({ text }) => text);
    if (removed.length > 0) await session.step('drop', ...removed);
  } catch (error) {
    deps.logger.warn({ target: definition.name, error }, 'old releases of a target could not be removed');
  }
}
