/** Persons and tokens: enrolling, logging in, minting, revoking, recovering. */
import {
  AppError,
  authorize,
  type Digest,
  type IdSource,
  isAllowed,
  matchesPattern,
  type PersonId,
  type Principal,
  type RoleBinding,
  type TokenId,
} from '@stella/domain';
import type { CommandTransaction } from '../../ports/command-store.ts';

/** Issuer of persons that are enrolled here. */
export const LOCAL_ISSUER = 'local';

/** The person behind the first token and behind recovery. */
export const ADMIN_SUBJECT = 'admin';
export const ADMIN_BINDINGS: readonly RoleBinding[] = [{ role: 'admin', pattern: '*' }];

const DAY_MS = 86_400_000;
export const TOKEN_LIFETIME_MAX_MS = 365 * DAY_MS;
/** Of a token that a login or a recovery gives. */
export const LOGIN_TOKEN_LIFETIME_MS = 30 * DAY_MS;
export const RECOVERED_TOKEN_LIFETIME_MS = DAY_MS;
/** Of an enrolment code. */
export const ENROLMENT_LIFETIME_MS = 7 * DAY_MS;

export interface NewPersonOrder {
  readonly subject: string;
  readonly bindings: readonly RoleBinding[];
  readonly codeHash: Digest;
}

/** Errors: `auth.forbidden`, `person.exists`. */
export async function createPerson(
  tx: CommandTransaction,
  principal: Principal & { readonly personId: PersonId },
  { subject, bindings, codeHash }: NewPersonOrder,
): Promise<{ id: PersonId; expiresAtMs: number }> {
  authorize(principal, 'person.create', { environment: null, name: `person ${subject}` });
  refuseMoreThanOwn(principal, bindings);
  const { id } = await tx.insertPerson({
    issuer: LOCAL_ISSUER,
    subject,
    bindings,
    enrolledBy: principal.personId,
  });
  const expiresAtMs = tx.nowMs + ENROLMENT_LIFETIME_MS;
  await tx.insertEnrolment({ codeHash, personId: id, expiresAtMs });
  const data = { subject, roles: bindings.map(formatBinding) };
  await tx.writeEvents([
    { type: 'person.created', actor: principal.actor, atMs: tx.nowMs, promotionId: null, subject: id, data },
  ]);
  return { id, expiresAtMs };
}

/** Trades a code for a token. Errors: `auth.code_invalid`. */
export async function logIn(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  { codeHash, tokenHash }: { codeHash: Digest; tokenHash: Digest },
): Promise<{ id: TokenId; subject: string; expiresAtMs: number }> {
  const enrolled = await tx.useEnrolment(codeHash);
  if (!enrolled) throw new AppError('auth.code_invalid');
  const { personId, subject } = enrolled;
  const token = await writeToken(
    tx,
    { ids },
    { name: 'login', tokenHash, personId, lifetimeMs: LOGIN_TOKEN_LIFETIME_MS },
  );
  const actor = { kind: 'person', id: personId, subject } as const;
  await tx.writeEvents([
    {
      type: 'person.logged_in',
      actor,
      atMs: tx.nowMs,
      promotionId: null,
      subject: personId,
      data: { token: token.id },
    },
  ]);
  return { ...token, subject };
}

export interface MintOrder {
  readonly name: string;
  readonly tokenHash: Digest;
  readonly lifetimeMs: number;
  /** Null: for the caller. */
  readonly automation: string | null;
  /** Of the automation. */
  readonly bindings: readonly RoleBinding[];
}

/** Errors: `auth.forbidden` (also for roles beyond the caller's own), `input.invalid`. */
export async function mintToken(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  principal: Principal & { readonly personId: PersonId },
  order: MintOrder,
): Promise<{ id: TokenId; owner: string; expiresAtMs: number }> {
  authorize(principal, 'token.mint', { environment: null, name: 'a token' });
  if (order.lifetimeMs <= 0 || order.lifetimeMs > TOKEN_LIFETIME_MAX_MS) {
    throw new AppError('input.invalid', { details: { message: 'a token lives for at most 365 days' } });
  }
  if (principal.actor.kind !== 'person') {
    throw new AppError('auth.person_needed', { details: { action: 'mint a token' } });
  }
  refuseMoreThanOwn(principal, order.bindings);
  const { personId } = principal;
  const automation =
    order.automation === null ? null : await tx.ensureAutomation(order.automation, personId, order.bindings);
  const id = ids.next('tok');
  const expiresAtMs = tx.nowMs + order.lifetimeMs;
  await tx.insertToken({
    id,
    tokenHash: order.tokenHash,
    owner: automation ? { kind: 'automation', id: automation.id } : { kind: 'person', id: personId },
    mintedBy: personId,
    name: order.name,
    expiresAtMs,
  });
  const owner = order.automation ?? principal.actor.subject;
  const data = { name: order.name, owner, roles: order.bindings.map(formatBinding) };
  await tx.writeEvents([
    { type: 'token.minted', actor: principal.actor, atMs: tx.nowMs, promotionId: null, subject: id, data },
  ]);
  return { id, owner, expiresAtMs };
}

/** One's own token, or with the right `admin` any. Idempotent. Errors: `token.not_found`, `auth.forbidden`. */
export async function revokeToken(
  tx: CommandTransaction,
  principal: Principal,
  { id, isOwn }: { id: TokenId; isOwn: boolean },
): Promise<{ revokedAtMs: number }> {
  authorize(principal, isOwn ? 'token.revoke' : 'person.create', { environment: null, name: `token ${id}` });
  const revoked = await tx.revokeToken(id);
  if (!revoked) throw new AppError('token.not_found', { details: { name: id } });
  await tx.writeEvents([
    { type: 'token.revoked', actor: principal.actor, atMs: tx.nowMs, promotionId: null, subject: id, data: {} },
  ]);
  return revoked;
}

/** A token for the admin; `personId` null makes that person. The right to it was proven by the recovery file, or this is the first start. */
export async function mintAdminToken(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  order: { readonly personId: PersonId | null; readonly tokenHash: Digest; readonly lifetimeMs: number },
): Promise<{ id: TokenId; expiresAtMs: number }> {
  const actor = { kind: 'system', name: 'server' } as const;
  const isFirst = order.personId === null;
  const personId =
    order.personId ??
    (
      await tx.insertPerson({
        issuer: LOCAL_ISSUER,
        subject: ADMIN_SUBJECT,
        bindings: ADMIN_BINDINGS,
        enrolledBy: null,
      })
    ).id;
  const token = await writeToken(tx, { ids }, { ...order, personId, name: isFirst ? 'first-start' : 'recovered' });
  const type = isFirst ? 'token.minted' : 'token.recovered';
  await tx.writeEvents([
    { type, actor, atMs: tx.nowMs, promotionId: null, subject: token.id, data: { owner: ADMIN_SUBJECT } },
  ]);
  return token;
}

async function writeToken(
  tx: CommandTransaction,
  { ids }: { ids: IdSource },
  order: { name: string; tokenHash: Digest; personId: PersonId; lifetimeMs: number },
): Promise<{ id: TokenId; expiresAtMs: number }> {
  const id = ids.next('tok');
  const expiresAtMs = tx.nowMs + order.lifetimeMs;
  const { name, tokenHash, personId } = order;
  await tx.insertToken({
    id,
    tokenHash,
    owner: { kind: 'person', id: personId },
    mintedBy: personId,
    name,
    expiresAtMs,
  });
  return { id, expiresAtMs };
}

/** Nobody hands out what he does not have himself: every role must be covered by one of the caller's bindings. */
function refuseMoreThanOwn({ actor, bindings }: Principal, wanted: readonly RoleBinding[]): void {
  if (isAllowed(bindings, 'person.create', null) && bindings.some((own) => own.role === 'admin' && own.pattern === '*'))
    return;
  for (const binding of wanted) {
    const isCovered = bindings.some(
      (own) =>
        (own.role === 'admin' || own.role === binding.role) &&
        (own.pattern === binding.pattern ||
          (!binding.pattern.includes('*') && matchesPattern(own.pattern, binding.pattern))),
    );
    if (isCovered) continue;
    const name = actor.kind === 'person' ? actor.subject : actor.kind;
    throw new AppError('auth.forbidden', {
      details: { actor: name, action: 'grant', object: formatBinding(binding), role: formatBinding(binding) },
    });
  }
}

/** `approver@prod` */
export function formatBinding({ role, pattern }: RoleBinding): string {
  return `${role}@${pattern}`;
}
