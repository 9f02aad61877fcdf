/**
 * The one place that says who may do what. HTTP, the command line and the engine's commands all ask here
 * (safety S15: default deny; an action that is not in the table is not allowed to anybody).
 */
import { AppError } from '../errors/app-error.ts';
import type { Actor } from './actor.ts';
import { formatActor } from './actor.ts';

export const ROLES = ['viewer', 'releaser', 'approver', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A role on every environment whose name matches `pattern` (`*` stands for any letters): `approver@prod`, `viewer@*`. */
export interface RoleBinding {
  readonly role: Role;
  readonly pattern: string;
}

/** A caller whose token was checked, with the bindings held now. */
export interface Principal {
  readonly actor: Actor;
  readonly bindings: readonly RoleBinding[];
}

/** Roles that may do an action; `admin` may do everything and is not repeated. */
const ROLES_BY_ACTION = {
  'environment.read': ['viewer', 'releaser', 'approver', 'operator'],
  'environment.apply': [],
  'release.read': ['viewer', 'releaser', 'approver', 'operator'],
  'release.create': ['releaser'],
  'promotion.read': ['viewer', 'releaser', 'approver', 'operator'],
  'promotion.create': ['releaser'],
  'promotion.rollback': ['releaser', 'operator'],
  'promotion.deploy': ['releaser', 'operator'],
  'promotion.deploy_forced': ['operator'],
  'promotion.approve': ['approver'],
  'promotion.reject': ['approver'],
  'promotion.cancel': ['releaser', 'operator'],
  'promotion.retry': ['releaser', 'operator'],
  'promotion.prioritize': ['operator'],
  'gate.skip': ['operator'],
  'lock.read': ['viewer', 'releaser', 'approver', 'operator'],
  'lock.release': ['operator'],
  'fence.raise': [],
  'environment.freeze': ['operator'],
  'quota.request': ['releaser', 'approver', 'operator'],
  'connectivity.probe': ['releaser', 'approver', 'operator'],
  'notification.read': ['viewer', 'releaser', 'approver', 'operator'],
  'notification.apply': [],
  'notification.address': ['operator'],
  'notification.test': ['operator'],
  'notification.retry': ['operator'],
  'registry.read': ['viewer', 'releaser', 'approver', 'operator'],
  'registry.apply': [],
  'setting.read': ['viewer', 'releaser', 'approver', 'operator'],
  'setting.write': ['operator'],
  'orchestrator.read': ['viewer', 'releaser', 'approver', 'operator'],
  'person.create': [],
  'person.read': [],
  'token.mint': ['viewer', 'releaser', 'approver', 'operator'],
  'token.read': ['viewer', 'releaser', 'approver', 'operator'],
  'token.revoke': ['viewer', 'releaser', 'approver', 'operator'],
  'identity.read': ['viewer', 'releaser', 'approver', 'operator'],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof ROLES_BY_ACTION;
// Its keys, all of them: it is a constant.
export const ACTIONS = Object.keys(ROLES_BY_ACTION) as readonly Action[];

/** What is acted on. `environment: null` asks for the role on any environment at all (lists, releases). */
export interface AuthorizedObject {
  readonly environment: string | null;
  /** For the error's words: `promotion prm_…`. */
  readonly name: string;
}

/** True when one of the principal's bindings grants the action on the object. */
export function isAllowed(bindings: readonly RoleBinding[], action: Action, environment: string | null): boolean {
  const roles = rolesFor(action);
  return bindings.some(
    (binding) => roles.includes(binding.role) && (environment === null || matchesPattern(binding.pattern, environment)),
  );
}

/** A word from outside may be no action at all: not even an admin may do what is not in the table. */
function rolesFor(action: Action): readonly Role[] {
  return Object.hasOwn(ROLES_BY_ACTION, action) ? [...ROLES_BY_ACTION[action], 'admin'] : [];
}

/** Throws `auth.forbidden`, naming the role that would do. */
export function authorize(principal: Principal, action: Action, object: AuthorizedObject): void {
  if (isAllowed(principal.bindings, action, object.environment)) return;
  const role = rolesFor(action)[0] ?? 'that nobody has';
  const on = object.environment === null ? '' : `@${object.environment}`;
  throw new AppError('auth.forbidden', {
    details: { actor: formatActor(principal.actor), action, object: object.name, role: `${role}${on}` },
  });
}

/**
 * `matchesPattern('prod-*', 'prod-eu')` → true. Only `*` is special. Takes the first place for each part between stars,
 * so the time grows with the lengths only: a regular expression with many stars would try every way to split the name.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return pattern === name;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let from = first.length;
  const end = name.length - last.length;
  for (const part of parts) {
    const at = name.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** `'approver@prod'` → binding. Throws `input.invalid`. */
export function parseRoleBinding(text: string): RoleBinding {
  const [role, pattern, ...rest] = text.split('@');
  const known = ROLES.find((candidate) => candidate === role);
  if (!known || pattern === undefined || rest.length > 0 || !/^[a-z0-9*-]{1,63}$/.test(pattern)) {
    throw new AppError('input.invalid', {
      details: {
        message: `"${text}" is not a role binding; expected <role>@<environment>, role one of ${ROLES.join(', ')}`,
      },
    });
  }
  return { role: known, pattern };
}
