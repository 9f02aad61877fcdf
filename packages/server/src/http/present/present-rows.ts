/** Rows of environments, releases, locks, events and tokens as the API shows them. */
import type { Answer } from '@stella/contract';
import {
  componentWords,
  fenceKeeperOf,
  formatFence,
  formatSource,
  hostNameOf,
  type Release,
  toRfc3339,
} from '@stella/domain';
import type { EnvironmentRow, LockRow, RecordedEvent, TokenRow } from '../../ports/read-store.ts';
import { presentFreeze } from './present-freeze.ts';
import { presentStop } from './present-stop.ts';
import { presentDebt } from './present-skip.ts';
import { presentActor, presentInstant } from './values.ts';

export function presentEnvironment(row: EnvironmentRow, nowMs: number): Answer<'listEnvironments'>['items'][number] {
  const { definition, status } = row;
  return {
    name: definition.name,
    version: row.version,
    hash: row.hash,
    appliedAt: toRfc3339(row.appliedAtMs),
    promotesFrom: [...definition.promotesFrom],
    gates: definition.gates.map(({ name, kind }) => ({ name, kind })),
    targets: definition.targets.map((target) => ({
      name: target.name,
      kind: target.kind,
      component: componentWords(target),
      host: hostNameOf(target),
      fence: fenceKeeperOf(target),
    })),
    state: status.state,
    release: status.releaseId === null ? null : { id: status.releaseId, name: row.releaseName ?? status.releaseId },
    releasedAt: presentInstant(status.releasedAtMs),
    stop: presentStop(status),
    freeze: presentFreeze(status, nowMs),
    debts: row.debts.map(presentDebt),
    concurrency: status.concurrency,
    components: status.components.map(({ component, releaseId, releasedAtMs, state }) => ({
      component,
      release: releaseId === null ? null : { id: releaseId, name: row.releaseNames[releaseId] ?? releaseId },
      releasedAt: presentInstant(releasedAtMs),
      state,
    })),
  };
}

export function presentRelease(release: Release): Answer<'getRelease'> {
  return {
    id: release.id,
    name: release.name,
    number: release.number,
    createdAt: toRfc3339(release.createdAtMs),
    components: release.components.map(({ name, source, tag, digest, mediaType }) => ({
      name,
      source: formatSource(source),
      tag,
      digest,
      mediaType,
    })),
  };
}

export function presentLock(row: LockRow): Answer<'listLocks'>['items'][number] {
  return {
    id: row.id,
    resource: row.resource,
    mode: row.mode,
    promotionId: row.promotionId,
    environment: row.environment,
    step: row.step,
    workerId: row.workerId,
    fence: formatFence(row.fence),
    acquiredAt: toRfc3339(row.acquiredAtMs),
    heartbeatAt: presentInstant(row.heartbeatAtMs),
    isStale: row.isStale,
    waiters: [...row.waiters],
  };
}

export function presentEvent(event: RecordedEvent): Answer<'streamEvents'> {
  return {
    seq: event.seq,
    chainHash: event.chainHash,
    promotionId: event.promotionId,
    promotionSeq: event.promotionSeq,
    type: event.type,
    actor: presentActor(event.actor),
    subject: event.subject,
    // The contract's type of JSON is mutable, ours is not; nobody changes an answer.
    data: event.data as Answer<'streamEvents'>['data'],
    at: toRfc3339(event.atMs),
    hash: event.hash,
  };
}

export function presentToken(row: TokenRow): Answer<'listTokens'>['items'][number] {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    ownerKind: row.ownerKind,
    createdAt: toRfc3339(row.createdAtMs),
    expiresAt: toRfc3339(row.expiresAtMs),
    revokedAt: presentInstant(row.revokedAtMs),
  };
}
