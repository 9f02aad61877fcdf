/** `apply`: all documents or none; what live promotions use is not removed. */
import {
  AppError,
  authorize,
  canonicalJson,
  definitionHash,
  describeOverride,
  type EnvironmentDefinition,
  findMovedTarget,
  type Json,
  overridesOf,
  type Principal,
  requirementsOf,
} from '@stella/domain';
import type { CommandTransaction, EnvironmentRecord } from '../../ports/command-store.ts';

/** Lines of difference that are shown for one environment. */
const DIFFERENCES_MAX = 100;

export interface AppliedChange {
  readonly environment: string;
  readonly change: 'created' | 'changed' | 'unchanged' | 'removed';
  /** Null when it was removed. */
  readonly version: number | null;
  readonly differences: readonly string[];
  /** Settings that count instead of what the definition says. */
  readonly overrides: readonly string[];
}

export interface ApplyOrder {
  readonly definitions: readonly EnvironmentDefinition[];
  readonly isPruning: boolean;
  /** Names that go away, beside what pruning takes. */
  readonly removed?: readonly string[];
  /** Circle in `promotesFrom`, as names; null when there is none. */
  readonly findCycle: (definitions: readonly EnvironmentDefinition[]) => readonly string[] | null;
}

/** Errors: `auth.forbidden`, `environment.not_found` (an unknown predecessor), `apply.cycle`, `apply.in_use`,
 * `apply.locks_live`. */
export async function applyDefinitions(
  tx: CommandTransaction,
  principal: Principal,
  { definitions, isPruning, removed = [], findCycle }: ApplyOrder,
): Promise<readonly AppliedChange[]> {
  for (const { name } of definitions) {
    authorize(principal, 'environment.apply', { environment: name, name: `environment ${name}` });
  }
  const known = await tx.lockEnvironments();
  refuseUnknown(removed, known);
  const isWanted = (name: string): boolean => definitions.some((wanted) => wanted.name === name);
  const gone = known.filter(({ definition: { name } }) => !isWanted(name) && (isPruning || removed.includes(name)));
  const goneNames = gone.map((one) => one.definition.name);
  for (const name of goneNames) {
    authorize(principal, 'environment.apply', { environment: name, name: `environment ${name}` });
    await refuseInUse(tx, name);
  }
  const after = [
    ...known.map((one) => one.definition).filter((one) => !definitions.some((wanted) => wanted.name === one.name)),
    ...definitions,
  ].filter((one) => !goneNames.includes(one.name));
  refuseBrokenGraph(after, findCycle);
  const changes: AppliedChange[] = [];
  for (const definition of definitions) changes.push(await applyOne(tx, principal, definition, known));
  for (const name of goneNames) {
    const owed = await tx.removeEnvironment(name);
    await note(tx, principal, { type: 'environment.removed', subject: name, data: {} });
    for (const { id, gate, promotionId } of owed) {
      await note(tx, principal, { type: 'debt.superseded', subject: id, data: { gate, of: promotionId } });
    }
    changes.push({ environment: name, change: 'removed', version: null, differences: [], overrides: [] });
  }
  return changes;
}

function refuseUnknown(names: readonly string[], known: readonly EnvironmentRecord[]): void {
  const unknown = names.find((name) => !known.some((one) => one.definition.name === name));
  if (unknown !== undefined) throw new AppError('environment.not_found', { details: { name: unknown } });
}

async function applyOne(
  tx: CommandTransaction,
  principal: Principal,
  definition: EnvironmentDefinition,
  known: readonly EnvironmentRecord[],
): Promise<AppliedChange> {
  const { name } = definition;
  const before = known.find((one) => one.definition.name === name);
  const hash = definitionHash(definition);
  const overrides = overridesOf(definition, tx.settings).map(describeOverride);
  if (before?.hash === hash) {
    return { environment: name, change: 'unchanged', version: before.version, differences: [], overrides };
  }
  if (before && before.definition.concurrency !== definition.concurrency) await refuseHeld(tx, name);
  if (definition.concurrency === 'per_component') await refuseMoved(tx, definition);
  const { version } = await tx.writeDefinition(definition, principal.actor);
  await note(tx, principal, { type: 'environment.applied', subject: name, data: { version, hash } });
  const differences = before ? differencesBetween(before.definition, definition) : [];
  return { environment: name, change: before ? 'changed' : 'created', version, differences, overrides };
}

async function refuseInUse(tx: CommandTransaction, name: string): Promise<void> {
  const [promotionId] = await tx.livePromotionsOf(name);
  if (promotionId === undefined) return;
  throw new AppError('apply.in_use', { details: { what: `environment ${name}`, promotionId } });
}

/** What locks are taken, and what they exclude, changes only while nobody holds one. */
async function refuseHeld(tx: CommandTransaction, environment: string): Promise<void> {
  const promotionId = (await tx.lockEnvironment(environment))?.holder ?? null;
  if (promotionId !== null) throw new AppError('apply.locks_live', { details: { environment, promotionId } });
}

/** A place of one component becomes another one's only when no live promotion takes it for the former one's. */
async function refuseMoved(tx: CommandTransaction, { name, targets }: EnvironmentDefinition): Promise<void> {
  for (const { promotionId, definition } of await tx.liveDefinitionsOf(name)) {
    const moved = findMovedTarget(definition.targets, targets);
    if (!moved) continue;
    const what = `the place of target ${moved.name} of ${name}, for another component,`;
    throw new AppError('apply.in_use', { details: { what, promotionId } });
  }
}

function refuseBrokenGraph(after: readonly EnvironmentDefinition[], findCycle: ApplyOrder['findCycle']): void {
  const names = new Set(after.map((one) => one.name));
  for (const definition of after) {
    const required = requirementsOf(definition).map((one) => one.environment);
    const missing = [...definition.promotesFrom, ...required].find((name) => !names.has(name));
    if (missing === undefined) continue;
    const how = definition.promotesFrom.includes(missing) ? 'promotes from it' : 'depends on it';
    throw new AppError('environment.not_found', {
      details: { name: missing, usedBy: definition.name },
      hint: `${definition.name} ${how}: apply "${missing}" in the same call, or correct ${required.includes(missing) && how !== 'promotes from it' ? 'requires' : 'promotesFrom'}`,
    });
  }
  const cycle = findCycle(after);
  if (cycle) throw new AppError('apply.cycle', { details: { cycle: cycle.join(' → ') } });
}

interface Note {
  readonly type: 'environment.applied' | 'environment.removed' | 'debt.superseded';
  /** Name of the environment, id of the debt. */
  readonly subject: string;
  readonly data: Json;
}

async function note(tx: CommandTransaction, { actor }: Principal, about: Note): Promise<void> {
  await tx.writeEvents([{ ...about, actor, atMs: tx.nowMs, promotionId: null }]);
}

/** `['gates.tests.timeoutMs: 120000 → 300000', 'targets.web: added']`; members of lists go by their name. */
export function differencesBetween<Definition extends object>(
  before: Definition,
  after: Definition,
): readonly string[] {
  const lines: string[] = [];
  compare('', before as unknown as Json, after as unknown as Json, lines);
  return lines.slice(0, DIFFERENCES_MAX);
}

function compare(path: string, before: Json | undefined, after: Json | undefined, lines: string[]): void {
  if (canonicalText(before) === canonicalText(after)) return;
  const left = membersOf(before);
  const right = membersOf(after);
  if (!left || !right) {
    lines.push(
      `${path}: ${before === undefined ? 'added' : canonicalText(before)} → ${canonicalText(after) || 'removed'}`,
    );
    return;
  }
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].sort();
  for (const key of keys) compare(path === '' ? key : `${path}.${key}`, left[key], right[key], lines);
}

function canonicalText(value: Json | undefined): string {
  return value === undefined ? '' : canonicalJson(value);
}

/** Objects by key; lists of named things by name. Null for everything else. */
function membersOf(value: Json | undefined): Readonly<Record<string, Json | undefined>> | null {
  if (typeof value !== 'object' || value === null) return null;
  if (!Array.isArray(value)) return value as Readonly<Record<string, Json | undefined>>;
  const named = value.every(
    (item): item is { name: string } => typeof item === 'object' && item !== null && 'name' in item,
  );
  return named ? Object.fromEntries(value.map((item: { name: string }) => [item.name, item as Json])) : null;
}
