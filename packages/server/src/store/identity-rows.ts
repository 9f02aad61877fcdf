/**
 * Persons, automation, their roles, enrolment codes and tokens. Codes and tokens are stored hashed only. Each
 * type assertion is on a column that only our own statements write, from checked values.
 */
import {
  type Actor,
  type Approver,
  type AutomationId,
  type Digest,
  type PersonId,
  type RoleBinding,
  type TokenId,
  toRfc3339,
} from '@stella/domain';
import type { NewPerson, NewToken } from '../ports/command-store.ts';
import type { TokenOwner, TokenRow } from '../ports/read-store.ts';
import type { Session, Statement } from './connection.ts';
import { numberOrNull, textOrNull } from './row-values.ts';

const INSERT_PERSON: Statement = {
  name: 'person_insert',
  text: `insert into persons (id, issuer, subject, enrolled_by, created_at) values ($1, $2, $3, $4, $5)
    on conflict (issuer, subject) do nothing returning id`,
};
const LIST_APPROVERS: Statement = {
  name: 'approver_list',
  text: `select n.id, n.subject, json_agg(json_build_object('role', b.role, 'pattern', b.pattern)) as bindings
    from persons n join role_bindings b on b.owner_id = n.id
    where exists (select from role_bindings o where o.owner_id = n.id and o.role in ('approver', 'admin'))
    group by n.id order by n.id limit $1`,
};
const INSERT_BINDINGS: Statement = {
  name: 'bindings_insert',
  text: `insert into role_bindings (owner_id, role, pattern)
    select $1, b.role, b.pattern from json_to_recordset($2) as b (role text, pattern text)
    on conflict do nothing`,
};
const DELETE_BINDINGS: Statement = {
  name: 'bindings_delete',
  text: 'delete from role_bindings where owner_id = $1',
};
const INSERT_ENROLMENT: Statement = {
  name: 'enrolment_insert',
  text: 'insert into enrolments (code_hash, person_id, expires_at) values ($1, $2, $3)',
};
const USE_ENROLMENT: Statement = {
  name: 'enrolment_use',
  text: `update enrolments e set used_at = now() from persons p
    where e.code_hash = $1 and e.used_at is null and e.expires_at > now() and p.id = e.person_id
    returning p.id, p.subject`,
};
const INSERT_TOKEN: Statement = {
  name: 'token_insert',
  text: `insert into tokens (id, token_hash, person_id, automation_id, minted_by, name, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`,
};
const REVOKE_TOKEN: Statement = {
  name: 'token_revoke',
  text: 'update tokens set revoked_at = coalesce(revoked_at, now()) where id = $1 returning revoked_at',
};
const ENSURE_AUTOMATION: Statement = {
  name: 'automation_ensure',
  text: `insert into automations (id, name, person_id, created_at) values ($1, $2, $3, $4)
    on conflict (name) do update set person_id = excluded.person_id returning id`,
};

const BINDINGS_OF = (owner: string): string =>
  `(select coalesce(json_agg(json_build_object('role', b.role, 'pattern', b.pattern) order by b.role, b.pattern), '[]')
    from role_bindings b where b.owner_id = ${owner})`;

const FIND_TOKEN: Statement = {
  name: 'token_find',
  text: `select t.id, t.expires_at, t.revoked_at, p.id as person_id, p.subject, a.id as automation_id,
      a.name as automation_name, ${BINDINGS_OF('coalesce(a.id, p.id)')} as bindings
    from tokens t left join automations a on a.id = t.automation_id
    join persons p on p.id = coalesce(t.person_id, a.person_id)
    where t.token_hash = $1`,
};
const LIST_TOKENS: Statement = {
  name: 'token_list',
  text: `select t.id, t.name, coalesce(a.name, p.subject) as owner, t.automation_id is not null as is_automation,
      t.created_at, t.expires_at, t.revoked_at
    from tokens t left join automations a on a.id = t.automation_id left join persons p on p.id = t.person_id
    where ($1::text is null or t.id < $1) and ($3::text is null or coalesce(t.person_id, a.person_id) = $3)
    order by t.id desc limit $2`,
};
const FIND_TOKENS_BY_START: Statement = {
  name: 'token_by_start',
  text: `select t.id, coalesce(t.person_id, a.person_id) as person_id
    from tokens t left join automations a on a.id = t.automation_id
    where t.id >= $1 and t.id < $1 || 'g' order by t.id limit 3`,
};
const FIND_PERSON: Statement = {
  name: 'person_find',
  text: `select p.id, p.subject, ${BINDINGS_OF('p.id')} as bindings,
      (select o.subject from persons o where o.id = p.enrolled_by) as enrolled_by
    from persons p where p.subject = $1`,
};
const LIST_SUBJECTS: Statement = { name: 'person_subjects', text: 'select subject from persons order by id limit 500' };

export interface PersonRow {
  readonly id: PersonId;
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
  readonly enrolledBy: string | null;
}

/** False: there is one with that issuer and subject. */
export async function insertPersonRow(
  session: Session,
  person: NewPerson & { readonly id: PersonId; readonly nowMs: number },
): Promise<boolean> {
  const { id, issuer, subject, enrolledBy, bindings } = person;
  const rows = await session.rows(INSERT_PERSON, [id, issuer, subject, enrolledBy, toRfc3339(person.nowMs)]);
  if (rows.length === 0) return false;
  await insertBindings(session, id, bindings);
  return true;
}

export async function insertEnrolmentRow(
  session: Session,
  { codeHash, personId, expiresAtMs }: { codeHash: Digest; personId: PersonId; expiresAtMs: number },
): Promise<void> {
  await session.rows(INSERT_ENROLMENT, [codeHash, personId, toRfc3339(expiresAtMs)]);
}

/** Null: unknown, used or expired. */
export async function useEnrolmentRow(
  session: Session,
  codeHash: Digest,
): Promise<{ personId: PersonId; subject: string } | null> {
  const [row] = await session.rows(USE_ENROLMENT, [codeHash]);
  return row ? { personId: row['id'] as PersonId, subject: String(row['subject']) } : null;
}

export async function insertTokenRow(session: Session, token: NewToken & { readonly nowMs: number }): Promise<void> {
  const { owner } = token;
  await session.rows(INSERT_TOKEN, [
    token.id,
    token.tokenHash,
    owner.kind === 'person' ? owner.id : null,
    owner.kind === 'automation' ? owner.id : null,
    token.mintedBy,
    token.name,
    toRfc3339(token.nowMs),
    toRfc3339(token.expiresAtMs),
  ]);
}

export async function revokeTokenRow(session: Session, id: TokenId): Promise<{ revokedAtMs: number } | null> {
  const [row] = await session.rows(REVOKE_TOKEN, [id]);
  return row ? { revokedAtMs: Number(row['revoked_at']) } : null;
}

/** Its bindings become the given ones. */
export async function ensureAutomationRow(
  session: Session,
  automation: {
    readonly id: AutomationId;
    readonly name: string;
    readonly personId: PersonId;
    readonly bindings: readonly RoleBinding[];
    readonly nowMs: number;
  },
): Promise<{ id: AutomationId }> {
  const { id, name, personId, nowMs } = automation;
  const [row] = await session.rows(ENSURE_AUTOMATION, [id, name, personId, toRfc3339(nowMs)]);
  const kept = row?.['id'] as AutomationId;
  await session.rows(DELETE_BINDINGS, [kept]);
  await insertBindings(session, kept, automation.bindings);
  return { id: kept };
}

export async function findTokenOwner(session: Session, tokenHash: Digest): Promise<TokenOwner | null> {
  const [row] = await session.rows(FIND_TOKEN, [tokenHash]);
  if (!row) return null;
  const personId = row['person_id'] as PersonId;
  const actor: Actor =
    row['automation_id'] === null
      ? { kind: 'person', id: personId, subject: String(row['subject']) }
      : {
          kind: 'automation',
          id: row['automation_id'] as AutomationId,
          name: String(row['automation_name']),
          personId,
        };
  return {
    tokenId: row['id'] as TokenId,
    actor,
    personId,
    bindings: row['bindings'] as readonly RoleBinding[],
    expiresAtMs: Number(row['expires_at']),
    revokedAtMs: numberOrNull(row['revoked_at']),
  };
}

/** Newest first, those before `beforeId`. */
export async function listTokenRows(
  session: Session,
  { beforeId, limit, ownedBy }: { beforeId: string | null; limit: number; ownedBy: PersonId | null },
): Promise<readonly TokenRow[]> {
  const rows = await session.rows(LIST_TOKENS, [beforeId, limit, ownedBy]);
  return rows.map((row) => ({
    id: row['id'] as TokenId,
    name: String(row['name']),
    owner: String(row['owner']),
    ownerKind: row['is_automation'] === true ? 'automation' : 'person',
    createdAtMs: Number(row['created_at']),
    expiresAtMs: Number(row['expires_at']),
    revokedAtMs: numberOrNull(row['revoked_at']),
  }));
}

/** At most 3, enough to say that a start is not unique. */
export async function findTokensByStart(
  session: Session,
  start: string,
): Promise<readonly { id: TokenId; personId: PersonId }[]> {
  const rows = await session.rows(FIND_TOKENS_BY_START, [start]);
  return rows.map((row) => ({ id: row['id'] as TokenId, personId: row['person_id'] as PersonId }));
}

export async function findPersonRow(session: Session, subject: string): Promise<PersonRow | null> {
  const [row] = await session.rows(FIND_PERSON, [subject]);
  if (!row) return null;
  return {
    id: row['id'] as PersonId,
    subject: String(row['subject']),
    bindings: row['bindings'] as readonly RoleBinding[],
    enrolledBy: textOrNull(row['enrolled_by']),
  };
}

export async function listSubjects(session: Session): Promise<string[]> {
  return (await session.rows(LIST_SUBJECTS)).map((row) => String(row['subject']));
}

async function insertBindings(session: Session, ownerId: string, bindings: readonly RoleBinding[]): Promise<void> {
  if (bindings.length > 0) await session.rows(INSERT_BINDINGS, [ownerId, JSON.stringify(bindings)]);
}

export async function listApproverRows(session: Session, limit: number): Promise<readonly Approver[]> {
  const rows = await session.rows(LIST_APPROVERS, [limit]);
  return rows.map((row) => ({
    personId: row['id'] as PersonId,
    subject: String(row['subject']),
    bindings: row['bindings'] as readonly RoleBinding[],
  }));
}
