/** Persons, automation, enrolment codes and tokens of a command's transaction. */
import { AppError, type Digest, type IdSource } from '@stella/domain';
import type { CommandTransaction } from '@stella/server';
import { demand } from './database-refusal.ts';
import type { MemorySession } from './memory-session.ts';

type IdentityMethods = Pick<
  CommandTransaction,
  'insertPerson' | 'insertEnrolment' | 'useEnrolment' | 'insertToken' | 'revokeToken' | 'ensureAutomation'
>;

export function identityMethods(session: MemorySession, ids: IdSource): IdentityMethods {
  return {
    ...enrolmentMethods(session),
    ...tokenMethods(session),
    async insertPerson({ issuer, subject, enrolledBy, bindings }) {
      const id = ids.next('per');
      return session.statement('insertPerson', async (tx) => {
        await session.lock(`persons_subject ${issuer} ${subject}`);
        for (const other of tx.rows(tx.state.persons)) {
          const isSame = other.subject === subject && (other.issuer ?? 'local') === issuer;
          if (isSame) throw new AppError('person.exists', { details: { subject } });
        }
        tx.put(tx.state.persons, id, { issuer, subject, enrolledBy, bindings });
        return { id };
      });
    },
    async ensureAutomation(name, personId, bindings) {
      const id = ids.next('aut');
      return session.statement('ensureAutomation', async (tx) => {
        await session.lock(`automations_name ${name}`);
        const kept = tx.get(tx.state.automations, name)?.id ?? id;
        tx.put(tx.state.automations, name, { id: kept, personId, bindings });
        return { id: kept };
      });
    },
  };
}

function enrolmentMethods(session: MemorySession): Pick<IdentityMethods, 'insertEnrolment' | 'useEnrolment'> {
  const key = (codeHash: Digest): string => `enrolment ${codeHash}`;
  return {
    insertEnrolment: ({ codeHash, personId, expiresAtMs }) =>
      session.statement('insertEnrolment', (tx) => {
        const isNew = tx.get(tx.state.enrolments, codeHash) === undefined;
        demand(isNew, { sqlState: '23505', constraint: 'enrolments_pkey' }, () => 'the code is there already');
        tx.put(tx.state.enrolments, codeHash, { personId, expiresAtMs, usedAtMs: null });
      }),
    useEnrolment: (codeHash) =>
      session.statement('useEnrolment', async (tx) => {
        await session.lock(key(codeHash));
        const { enrolments, persons } = tx.state;
        const row = tx.get(enrolments, codeHash);
        const person = row ? tx.get(persons, row.personId) : undefined;
        if (!row || !person || row.usedAtMs !== null || row.expiresAtMs <= tx.beganMs) return null;
        tx.put(enrolments, codeHash, { ...row, usedAtMs: tx.beganMs });
        return { personId: row.personId, subject: person.subject };
      }),
  };
}

function tokenMethods(session: MemorySession): Pick<IdentityMethods, 'insertToken' | 'revokeToken'> {
  return {
    insertToken: (token) =>
      session.statement('insertToken', (tx) => {
        const isNew = tx.get(tx.state.tokens, token.id) === undefined;
        demand(isNew, { sqlState: '23505', constraint: 'tokens_pkey' }, () => 'the token is there already');
        tx.put(tx.state.tokens, token.id, { ...token, revokedAtMs: null });
      }),
    revokeToken: (id) =>
      session.statement('revokeToken', async (tx) => {
        await session.lock(`token ${id}`);
        const row = tx.get(tx.state.tokens, id);
        if (!row) return null;
        const revokedAtMs = row.revokedAtMs ?? tx.beganMs;
        tx.put(tx.state.tokens, id, { ...row, revokedAtMs });
        return { revokedAtMs };
      }),
  };
}
