/** What targets are; one type per kind. */
import type { HealthCheck } from './health-check.ts';

interface TargetCommon {
  /** Unique in its environment, `[a-z0-9-]{1,63}`. */
  readonly name: string;
  /** The one component of the release that this target runs. */
  readonly component: string;
  readonly health: HealthCheck | null;
}

/** Unpacks the layers of one component's OCI artifact into a directory, switched by an atomic symlink `current`. */
export interface FilesTargetDefinition extends TargetCommon {
  readonly kind: 'files';
  /** Absolute. Holds `current`, `releases/` and `.stella/`. */
  readonly directory: string;
  /** Unpacked releases that stay on disk, the running one included. Default 3. */
  readonly keepCount: number;
}

export const TARGET_KINDS = ['files'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];
export type TargetDefinition = FilesTargetDefinition;
