/** `POST /persons`: the code is shown once. */
import { parseRoleBinding, toRfc3339 } from '@stella/domain';
import { makeSecret } from '../../auth/secrets.ts';
import { createPerson as create, formatBinding } from '../../engine/commands/identity.ts';
import type { RouteHandler } from '../route-handler.ts';

export const createPerson: RouteHandler<'createPerson'> = ({ random }, { caller, body, write }) => {
  const bindings = body.roles.map(parseRoleBinding);
  const { secret, hash } = makeSecret(random, 'enrolment');
  return write(async (tx) => {
    const { id, expiresAtMs } = await create(tx, caller, { subject: body.subject, bindings, codeHash: hash });
    return {
      id,
      subject: body.subject,
      roles: bindings.map(formatBinding),
      code: secret,
      expiresAt: toRfc3339(expiresAtMs),
    };
  }, 'code');
};
