/**
 * Settings that were changed while the server runs, and every change that was made. Each type assertion is on a column
 * that only our own statements write, from checked values.
 */
import { type Actor, type AnySettingKey, type Settings, toRfc3339 } from '@stella/domain';
import type { SettingChange } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';

/** Keys and values of those that are set, as an object; part of statements that read settings beside other things. */
export const SET_SETTINGS = `(select coalesce(json_object_agg(key, value), '{}') from settings where value is not null)`;

const LIST: Statement = {
  name: 'setting_list',
  text: 'select key, value, version, changed_at, changed_by, reason from settings order by key',
};

const LOCK: Statement = {
  name: 'setting_lock',
  text: 'select value, version from settings where key = $1 for update',
};

const WRITE: Statement = {
  name: 'setting_write',
  text: `with changed as (
      insert into settings (key, value, version, changed_at, changed_by, reason) values ($1, $2, 1, $3, $4, $5)
      on conflict (key) do update set value = excluded.value, version = settings.version + 1,
        changed_at = excluded.changed_at, changed_by = excluded.changed_by, reason = excluded.reason
      returning *
    )
    insert into setting_changes (key, value, version, changed_at, changed_by, reason)
    select key, value, version, changed_at, changed_by, reason from changed returning version`,
};

/** Deadlines of promotions depend on settings: whoever waits for a machine or for its turn looks again now. */
const WAKE: Statement = {
  name: 'setting_wake',
  text: `update promotions set next_action_at = $1, version = version + 1
    where id in (select id from promotions where ended_at is null and next_action_at > $1
      and status in ('in_progress', 'queued') and set_aside_at is null for update skip locked)`,
};

const CHANGES: Statement = {
  name: 'setting_changes',
  text: `select key, value, version, changed_at, changed_by, reason from setting_changes
    where key = $1 and ($2::bigint is null or version < $2) order by version desc limit $3`,
};

/** What was set, over what the server was started with. */
export function overlay(started: Settings, set: unknown): Settings {
  // Written by us from checked keys and values.
  return { ...started, ...(set as Partial<Settings>) };
}

export async function listSettingRows(session: Session): Promise<readonly SettingChange[]> {
  return (await session.rows(LIST)).map(toChange);
}

/** Newest first. */
export async function listSettingChangeRows(
  session: Session,
  key: AnySettingKey,
  { beforeVersion, limit }: { readonly beforeVersion: number | null; readonly limit: number },
): Promise<readonly SettingChange[]> {
  return (await session.rows(CHANGES, [key, beforeVersion, limit])).map(toChange);
}

export interface SettingWrite {
  readonly key: AnySettingKey;
  /** Null: what the server was started with counts again. */
  readonly value: number | null;
  readonly reason: string;
  readonly actor: Actor;
  readonly nowMs: number;
}

/** The row as it was, locked; null when it was never changed. */
export async function lockSettingRow(
  session: Session,
  key: AnySettingKey,
): Promise<{ readonly value: number | null; readonly version: number } | null> {
  const [row] = await session.rows(LOCK, [key]);
  if (!row) return null;
  return { value: row['value'] === null ? null : Number(row['value']), version: Number(row['version']) };
}

/** Answers the new version. */
export async function writeSettingRow(session: Session, write: SettingWrite): Promise<number> {
  const { key, value, reason, actor, nowMs } = write;
  const at = toRfc3339(nowMs);
  const [row] = await session.rows(WRITE, [key, value, at, JSON.stringify(actor), reason]);
  await session.rows(WAKE, [at]);
  return Number(row?.['version']);
}

function toChange(row: Readonly<Record<string, unknown>>): SettingChange {
  return {
    key: row['key'] as AnySettingKey,
    value: row['value'] === null ? null : Number(row['value']),
    version: Number(row['version']),
    changedAtMs: Number(row['changed_at']),
    changedBy: row['changed_by'] as Actor,
    reason: String(row['reason']),
  };
}
