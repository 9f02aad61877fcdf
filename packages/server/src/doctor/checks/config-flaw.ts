/** What the parts of `check.config` look at, and what they find. */
import type { Approver, EnvironmentDefinition } from '@stella/domain';
import type { SettingChange } from '../../ports/read-store.ts';
import type { CheckFact, CheckFinding } from '../check.ts';

/** Something that does not work, or not as somebody thinks. */
export interface ConfigFlaw {
  readonly status: 'warn' | 'fail';
  readonly fact: CheckFact;
  readonly remedy: NonNullable<CheckFinding['remedy']>;
}

export interface Configured {
  readonly definitions: readonly EnvironmentDefinition[];
  readonly changes: readonly SettingChange[];
  /** Null: more than are read. */
  readonly approvers: readonly Approver[] | null;
}
