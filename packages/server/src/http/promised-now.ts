/** What an environment promises at a target: of each component the digest of the release that it runs now. */
import { componentsOf, type Digest, promisedDigestOf, type Release, type TargetDefinition } from '@stella/domain';
import type { EnvironmentRow, ReadStore } from '../ports/read-store.ts';

export interface Promised {
  /** Null: something of it was never verified there. */
  readonly digest: Digest | null;
  /** The name of the release; null also when its components are of several. */
  readonly release: string | null;
}

/** Each release that the environment runs something of. */
export function readRunning(
  reads: Pick<ReadStore, 'findRelease'>,
  { status }: Pick<EnvironmentRow, 'status'>,
): Promise<readonly Release[]> {
  const ids = new Set(status.components.flatMap((one) => one.releaseId ?? []));
  return Promise.all([...ids].map((id) => reads.findRelease(id)));
}

export function promisedNow(
  target: TargetDefinition,
  { status }: Pick<EnvironmentRow, 'status'>,
  running: readonly Release[],
): Promised {
  const runs = componentsOf(target).flatMap((name) => {
    const releaseId = status.components.find((one) => one.component === name)?.releaseId;
    const release = running.find((one) => one.id === releaseId);
    const component = release?.components.find((one) => one.name === name);
    return release && component ? [{ component, release: release.name }] : [];
  });
  const [release, ...others] = new Set(runs.map((one) => one.release));
  return {
    digest: promisedDigestOf(target, { components: runs.map(({ component }) => component) }),
    release: release === undefined || others.length > 0 ? null : release,
  };
}
