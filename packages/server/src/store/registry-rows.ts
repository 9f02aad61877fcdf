/** Declared registries; each type assertion is on what only our own statements write. */
import { type Digest, type PromotionId, type RegistryDefinition, registryHash, toRfc3339 } from '@stella/domain';
import type { RegistryRecord } from '../ports/registry-credentials.ts';
import type { Session, Statement } from './connection.ts';
import { lockOfList } from './list-lock.ts';

const COLUMNS = 'version, hash, definition, applied_at';

const LIST: Statement = { name: 'registries_list', text: `select ${COLUMNS} from registries order by host` };
const FIND: Statement = { name: 'registry_find', text: 'select definition from registries where host = $1' };
/** Two applies at once: the second sees what the first has written. */
const CLAIM: Statement = { name: 'registries_claim', text: lockOfList('registries') };
const LOCK: Statement = { name: 'registries_lock', text: `select ${COLUMNS} from registries order by host for update` };

const WRITE: Statement = {
  name: 'registry_write',
  text: `insert into registries (host, version, hash, definition, applied_at) values ($1, 1, $2, $3, $4)
    on conflict (host) do update set version = registries.version + 1, hash = excluded.hash,
      definition = excluded.definition, applied_at = excluded.applied_at
    returning version`,
};

const REMOVE: Statement = { name: 'registry_remove', text: 'delete from registries where host = $1' };

const LIVE: Statement = {
  name: 'promotions_from_registry',
  text: `select p.id from promotions p where p.ended_at is null and exists (
      select 1 from release_components c where c.release_id = p.release_id and c.source->>'registry' = $1)
    order by p.id limit 10`,
};

export async function listRegistryRows(session: Session): Promise<readonly RegistryRecord[]> {
  return (await session.rows(LIST)).map(toRecord);
}

export async function findRegistryRow(session: Session, host: string): Promise<RegistryDefinition | null> {
  const [row] = await session.rows(FIND, [host]);
  return row ? (row['definition'] as RegistryDefinition) : null;
}

export async function lockRegistryRows(session: Session): Promise<readonly RegistryRecord[]> {
  await session.rows(CLAIM);
  return (await session.rows(LOCK)).map(toRecord);
}

export async function writeRegistryRow(
  session: Session,
  definition: RegistryDefinition,
  nowMs: number,
): Promise<RegistryRecord> {
  const hash = registryHash(definition);
  const values = [definition.host, hash, JSON.stringify(definition), toRfc3339(nowMs)];
  const [row] = await session.rows(WRITE, values);
  return { definition, version: Number(row?.['version']), hash, appliedAtMs: nowMs };
}

export async function removeRegistryRow(session: Session, host: string): Promise<void> {
  await session.rows(REMOVE, [host]);
}

export async function livePromotionsFromRegistry(session: Session, host: string): Promise<readonly PromotionId[]> {
  return (await session.rows(LIVE, [host])).map((row) => row['id'] as PromotionId);
}

function toRecord(row: Readonly<Record<string, unknown>>): RegistryRecord {
  return {
    definition: row['definition'] as RegistryDefinition,
    version: Number(row['version']),
    hash: row['hash'] as Digest,
    appliedAtMs: Number(row['applied_at']),
  };
}
