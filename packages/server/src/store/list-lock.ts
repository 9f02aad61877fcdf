/**
 * Locks of whole lists, held to the end of the transaction by whoever applies one. Locked rows would not do: whoever waited
 * for one sees what was changed in it meanwhile, and never what was inserted beside it. So the list is read by a statement
 * of its own, after the lock.
 */

/** "stel" in ASCII: sets them apart from other advisory locks with two keys. */
const LIST_LOCK_CLASS = 0x73_74_65_6c;

const LISTS = { channels: 1, registries: 2 } as const;

/** The text of the statement that waits for it. */
export function lockOfList(list: keyof typeof LISTS): string {
  return `select pg_advisory_xact_lock(${LIST_LOCK_CLASS}, ${LISTS[list]})`;
}
