/** Error codes: conflicts. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const CONFLICT_CODES = {
  'release.name_taken': entry(
    'Conflict',
    'the release name "{name}" is taken by {releaseId}',
    'choose another name; releases never change',
  ),
  'person.exists': entry('Conflict', 'the person "{subject}" is enrolled already', 'give another subject'),
  'promotion.live_exists': entry(
    'Conflict',
    'release {release} is already on its way to {environment} as {promotionId}',
    'follow it: stella promotion status {promotionId}',
  ),
  'promotion.illegal_transition': entry(
    'Conflict',
    'cannot {action} promotion {promotionId}: it is {status}',
    'possible now: {possible}',
  ),
  'promotion.version': entry(
    'Conflict',
    'promotion {promotionId} changed meanwhile',
    'read it again: stella promotion status {promotionId}',
  ),
  'promotion.not_in_predecessor': entry(
    'Conflict',
    'release {release} has not completed in {predecessor}, which {environment} promotes from',
    'promote it there first: stella promotion create --release {release} --to {predecessor}',
  ),
  'promotion.older_than_base': entry(
    'Conflict',
    '{environment} already runs {base}, which is newer than {release}',
    'create a new release with the wanted artifacts',
  ),
  'deploy.not_in_predecessor': entry(
    'Conflict',
    'component {component} of {release} has not completed in {predecessor}, which {environment} promotes from',
    'let it go the usual way: stella promotion create; in an emergency an operator runs: stella deploy --env {environment} --artifact {digest} --force --reason <text>',
  ),
  'rollback.never_completed': entry(
    'Conflict',
    'release {release} never completed in {environment}, so nothing can go back to it',
    'see what completed there: stella orch deployments list --env {environment} --status success',
  ),
  'rollback.nothing_before': entry(
    'Conflict',
    '{environment} has nothing to go back to: {why}',
    'see what was deployed there: stella orch deployments list --env {environment}; or deploy what shall run: stella deploy --env {environment} --artifact <digest>',
  ),
  'rollback.which': entry(
    'Conflict',
    'the components of {environment} are of several releases, so there is no single one before',
    'say which: stella rollback start --env {environment} --to <release>; see: stella orch deployments list --env {environment} --status success',
  ),
  'promotion.base_moved': entry(
    'Conflict',
    '{environment} runs another release by now than when this was asked for',
    'look again: stella orch env status {environment}',
  ),
  'rollback.none': entry(
    'Conflict',
    'promotion {promotionId} is no rollback, and nothing of it was rolled back',
    'see where it stands: stella promotion status {promotionId}',
  ),
  'rollback.not_older': entry(
    'Conflict',
    'release {release} is newer than {base}, which {environment} runs; a rollback only goes back',
    'promote it: stella promotion create --release {release} --to {environment}',
  ),
  'promotion.same_as_base': entry(
    'Conflict',
    '{environment} already runs {release}',
    'see what runs: stella orch artifacts list --env {environment}',
  ),
  'lock.live_holder': entry(
    'Conflict',
    'lock {lockId} is held by {promotionId}, which is live',
    'wait for it, or run: stella orch locks release {lockId} --force',
  ),
  'skip.exists': entry(
    'Conflict',
    'a skip of gate "{gate}" is open already: {skipId}, asked for by {actor}, {state}',
    'another person runs: stella promotion approve {promotionId} --skip {gate}; to end it: stella promotion reject {promotionId} --skip {gate}',
  ),
  'skip.forbidden': entry(
    'Conflict',
    'gate "{gate}" of {environment} may not be skipped',
    'settle the gate: stella promotion gates {promotionId}; or let an admin declare "skip: allowed" for promotions made later',
  ),
  'fence.behind': entry(
    'Conflict',
    '{environment} is stopped: {message}',
    'look at what runs there: stella orch artifacts list --env {environment}, then: stella orch fence raise --env {environment}',
  ),
  'fence.busy': entry(
    'Conflict',
    '{promotionId} holds a lock of {environment}, and its operations would be refused',
    'wait for it, or run: stella promotion cancel {promotionId}',
  ),
  'fence.unreadable': entry(
    'Unavailable',
    'target {target} does not say which fence it holds: {message}',
    'mend the target and repeat the command; the environment stays as it is until then',
  ),
  'freeze.none': entry(
    'Conflict',
    'nobody has frozen {environment}; freezes that its definition plans end by themselves or by an apply',
    'see what holds it: stella environment show {environment}',
  ),
  'approval.base_changed': entry(
    'Conflict',
    '{promotionId} would now go over another base: {message}',
    'look again, then decide: stella promotion gates {promotionId}',
  ),
  'approval.repeated': entry(
    'Conflict',
    '{actor} has decided on gate "{gate}" already',
    'see: stella promotion gates {promotionId}',
  ),
  'apply.locks_live': entry(
    'Conflict',
    'concurrency of environment {environment} cannot change now: {promotionId} holds a lock there',
    'wait until it has ended, then apply again: stella orch locks list --env {environment}',
  ),
  'apply.in_use': entry(
    'Conflict',
    '{what} is used by the live promotion {promotionId}',
    'wait for it to end, or cancel it: stella promotion cancel {promotionId}',
  ),
  'apply.channels': entry(
    'LimitExceeded',
    'there would be {count} channels; {max} are the most',
    'let one channel hear of several environments: environments: ["prod-*"]',
  ),
  'apply.registries': entry(
    'LimitExceeded',
    'there would be {count} registries; {max} are the most',
    'remove those that nothing is pulled from: stella registry list',
  ),
  'delivery.delivered': entry(
    'Conflict',
    '{deliveryId} was delivered to channel {channel} already',
    'see: stella notify deliveries --channel {channel}',
  ),
  'delivery.no_channel': entry(
    'Conflict',
    'the channel {channel} of {deliveryId} was removed',
    'apply it again, then repeat: stella notify retry {deliveryId}',
  ),
  'apply.cycle': entry('InvalidInput', 'the environments promote in a circle: {cycle}', 'remove one promotesFrom'),
  'idempotency.mismatch': entry(
    'Unprocessable',
    'this Idempotency-Key was used with another body, or with another token',
    'use a new key for a new request',
  ),
  'idempotency.in_flight': entry(
    'Conflict',
    'the first request with this Idempotency-Key is still running',
    'send it again in a moment',
  ),
  'etag.mismatch': entry('Conflict', 'the object changed since it was read', 'read it again and repeat'),
} as const satisfies Record<string, ErrorEntry>;
