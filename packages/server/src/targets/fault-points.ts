/**
 * Where a crash test may end or pause the process during an operation of a `files` target: before the first durable step
 * and after each one. In the order in which a deploy of something new meets them.
 */
export const FILES_TARGET_FAULT_POINTS = [
  'target.files.before_lock',
  'target.files.lock_taken',
  'target.files.fence_stored',
  'target.files.older_links_removed',
  'target.files.file_written',
  'target.files.layer_unpacked',
  'target.files.tree_synced',
  'target.files.index_written',
  'target.files.release_placed',
  'target.files.intent_recorded',
  'target.files.link_made',
  'target.files.fence_checked',
  'target.files.switched',
  'target.files.switch_synced',
  'target.files.result_recorded',
  'target.files.old_release_discarded',
  'target.files.old_releases_removed',
  'target.files.lock_released',
] as const;

/** Met only where a release that is still on disk is used again. */
export const FILES_TARGET_REUSE_FAULT_POINTS = [
  'target.files.release_claimed',
  'target.files.release_rehashed',
] as const;

/** Met by `seal` only, beside `fence_stored` and `older_links_removed`. */
export const FILES_TARGET_SEAL_FAULT_POINTS = ['target.files.looked_up'] as const;

export const TARGET_FAULT_POINTS = [
  ...FILES_TARGET_FAULT_POINTS,
  ...FILES_TARGET_REUSE_FAULT_POINTS,
  ...FILES_TARGET_SEAL_FAULT_POINTS,
] as const;
export type TargetFaultPoint = (typeof TARGET_FAULT_POINTS)[number];
