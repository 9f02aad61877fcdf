import type { EnvironmentStatus } from '../promotion/promotion.ts';

/** A new environment; also one that was removed while an ended promotion still tells of it. */
export function emptyEnvironment(name: string): EnvironmentStatus {
  return {
    name,
    releaseId: null,
    releaseNumber: 0,
    releasedAtMs: null,
    state: 'empty',
    policyRevision: 0,
    concurrency: 'exclusive',
    components: [],
    stop: null,
    freeze: null,
    plannedFreezes: [],
    quotas: null,
    quotaRequests: [],
  };
}
