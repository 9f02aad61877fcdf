/** `apply` of what the whole installation has one list of: all of it or nothing, whoever else applies it meanwhile. */
import type { AppError, Digest, EventType, Principal } from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';
import { differencesBetween } from './apply-definitions.ts';

export interface ListChange {
  readonly name: string;
  readonly change: 'created' | 'changed' | 'unchanged' | 'removed';
  /** Null when it was removed. */
  readonly version: number | null;
  readonly differences: readonly string[];
}

/** As a store keeps an entry of the list. */
interface Entry<Definition> {
  readonly definition: Definition;
  readonly version: number;
  readonly hash: Digest;
}

export interface DefinedList<Definition> {
  readonly nameOf: (definition: Definition) => string;
  readonly hashOf: (definition: Definition) => Digest;
  /** Throws `auth.forbidden`. */
  readonly authorize: (definition: Definition) => void;
  readonly countMax: number;
  readonly tooMany: (details: { readonly count: number; readonly max: number }) => AppError;
  /** All of them, until the transaction ends. */
  readonly lock: () => Promise<readonly Entry<Definition>[]>;
  readonly write: (definition: Definition) => Promise<{ readonly version: number }>;
  /** Throws when it is in use. */
  readonly remove: (name: string) => Promise<void>;
  readonly events: { readonly applied: EventType; readonly removed: EventType };
}

export interface ListOrder<Definition> {
  readonly wanted: readonly Definition[];
  /** Removes what is not named. */
  readonly isPruning: boolean;
}

/** In the order of the wanted ones, then those that went. Errors: those of the list. */
export async function applyList<Definition extends object>(
  tx: CommandTransaction,
  { actor }: Principal,
  list: DefinedList<Definition>,
  { wanted, isPruning }: ListOrder<Definition>,
): Promise<readonly ListChange[]> {
  for (const definition of wanted) list.authorize(definition);
  if (wanted.length === 0 && !isPruning) return [];
  const known = await list.lock();
  const names = new Set(wanted.map(list.nameOf));
  const others = known.map(({ definition }) => definition).filter((one) => !names.has(list.nameOf(one)));
  const gone = isPruning ? others : [];
  for (const definition of gone) list.authorize(definition);
  const count = names.size + others.length - gone.length;
  if (count > list.countMax) throw list.tooMany({ count, max: list.countMax });
  const about = { actor, atMs: tx.nowMs, promotionId: null };
  const changes: ListChange[] = [];
  for (const definition of wanted) {
    const change = await applyOne(list, definition, known);
    changes.push(change);
    if (change.change === 'unchanged') continue;
    const data = { version: change.version, hash: list.hashOf(definition) };
    await tx.writeEvents([{ ...about, type: list.events.applied, subject: change.name, data }]);
  }
  for (const name of gone.map(list.nameOf)) {
    await list.remove(name);
    await tx.writeEvents([{ ...about, type: list.events.removed, subject: name, data: {} }]);
    changes.push({ name, change: 'removed', version: null, differences: [] });
  }
  return changes;
}

async function applyOne<Definition extends object>(
  list: DefinedList<Definition>,
  definition: Definition,
  known: readonly Entry<Definition>[],
): Promise<ListChange> {
  const name = list.nameOf(definition);
  const before = known.find((one) => list.nameOf(one.definition) === name);
  if (before?.hash === list.hashOf(definition)) {
    return { name, change: 'unchanged', version: before.version, differences: [] };
  }
  const { version } = await list.write(definition);
  const differences = before ? differencesBetween(before.definition, definition) : [];
  return { name, change: before ? 'changed' : 'created', version, differences };
}
