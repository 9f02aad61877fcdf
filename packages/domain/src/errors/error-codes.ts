/**
 * The one registry of error codes. It generates `docs/errors.md`, the HTTP status and the exit code. Templates and
 * hints name values as `{key}`; an `AppError` fills them from its `details`.
 */
export const ERROR_KINDS = [
  'InvalidInput',
  'Unauthenticated',
  'Forbidden',
  'NotFound',
  'Conflict',
  'Unprocessable',
  'LimitExceeded',
  'Unavailable',
  'InvariantViolated',
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly template: string;
  readonly hint: string;
}

const entry = (kind: ErrorKind, template: string, hint: string): ErrorEntry => ({ kind, template, hint });

export const ERROR_CODES = {
  // Input
  'input.invalid': entry('InvalidInput', '{message}', 'correct the value and send the request again'),
  'input.json': entry(
    'InvalidInput',
    'the body is not valid JSON: {message}',
    'send a JSON object with content-type application/json',
  ),
  'input.unknown_key': entry('InvalidInput', 'unknown key "{key}" at {where}', 'did you mean "{nearest}"?'),
  'input.digest': entry(
    'InvalidInput',
    '"{value}" is not a digest; expected sha256:<64 lowercase hex digits>',
    'copy the digest from: stella release show <release>',
  ),
  'input.duration': entry(
    'InvalidInput',
    '"{value}" is not a duration; expected forms like 90s, 5m, 1h30m, 2d',
    'write the duration with units',
  ),
  'input.id': entry(
    'InvalidInput',
    '"{value}" is not an id of kind {prefix}',
    'ids look like {prefix}_01jd8q… ; list them with the matching list command',
  ),
  'input.id_ambiguous': entry(
    'Conflict',
    'the prefix "{value}" matches several: {matches}',
    'give more characters of the id',
  ),
  'input.cursor': entry('InvalidInput', 'the cursor is not one that this server gave', 'start again without a cursor'),
  'input.yaml': entry('InvalidInput', '{file}:{line}: {message}', 'correct the file and apply it again'),
  'input.body_too_large': entry('LimitExceeded', 'the body is larger than {bytesMax} bytes', 'split the request'),
  // Authentication and rights
  'auth.missing': entry('Unauthenticated', 'no token was sent', 'run: stella auth login, or pass --token-file'),
  'auth.invalid': entry(
    'Unauthenticated',
    'the token is not known here',
    "run: stella auth login, or on the server's machine: stella auth recover",
  ),
  'auth.expired': entry(
    'Unauthenticated',
    'the token expired at {expiredAt}',
    'run: stella auth login, or ask for a new token: stella auth token mint',
  ),
  'auth.revoked': entry(
    'Unauthenticated',
    'the token was revoked at {revokedAt}',
    'ask an admin for a new one: stella auth token mint',
  ),
  'auth.forbidden': entry(
    'Forbidden',
    '{actor} may not {action} on {object}; it needs the role {role}',
    'ask an admin to grant the role, or let somebody who has it act',
  ),
  'auth.own_request': entry(
    'Forbidden',
    '{actor} requested this promotion and may not approve it',
    'another person with the role approver must run: stella promotion approve {promotionId}',
  ),
  'auth.own_skip': entry(
    'Forbidden',
    '{actor} asked for the skip of gate "{gate}" and may not approve it',
    'another person with the role approver must run: stella promotion approve {promotionId} --skip {gate}',
  ),
  'auth.person_needed': entry(
    'Forbidden',
    'only a person can {action}; this token belongs to automation',
    'a person with the right role must do it',
  ),
  'auth.code_invalid': entry(
    'Unauthenticated',
    'the enrolment code is unknown, used or expired',
    'ask an admin to enrol the person again: stella auth person create',
  ),
  'auth.rate_limited': entry(
    'LimitExceeded',
    'too many failed attempts from this address',
    'wait {retryAfterSeconds} s',
  ),
  // Things that are not there
  'route.not_found': entry(
    'NotFound',
    'no such route: {method} {path}',
    'see the API description at /api/v1/openapi.json',
  ),
  'environment.not_found': entry('NotFound', 'no environment "{name}"', 'list them: stella environment list'),
  'release.not_found': entry('NotFound', 'no release "{name}"', 'list them: stella release list'),
  'promotion.not_found': entry('NotFound', 'no promotion "{name}"', 'list them: stella promotion list'),
  'gate.not_found': entry(
    'NotFound',
    'promotion {promotionId} has no gate "{name}"',
    'list them: stella promotion gates {promotionId}',
  ),
  'gate.unknown': entry(
    'NotFound',
    'no environment has a gate "{name}" that asks a service',
    'list them: stella orch gate-services status',
  ),
  'skip.not_found': entry(
    'NotFound',
    'no skip of gate "{gate}" is open at promotion {promotionId}',
    'ask for one: stella promotion gate skip {promotionId} {gate} --reason <text>',
  ),
  'lock.not_found': entry('NotFound', 'no lock "{name}"', 'list them: stella orch locks list'),
  'person.not_found': entry(
    'NotFound',
    'no person "{name}"',
    'enrol the person: stella auth person create <subject> --role <role>@<env>',
  ),
  'setting.invalid': entry(
    'InvalidInput',
    'the setting {name} is invalid: {message}',
    'see its range: stella orch config get {name}',
  ),
  'check.not_found': entry('NotFound', 'no check "{name}"', 'known are: {known}'),
  'setting.not_found': entry('NotFound', 'no setting "{name}"', 'list them: stella orch config list'),
  'token.not_found': entry('NotFound', 'no token "{name}"', 'list them: stella auth token list'),
  // Conflicts
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
  // Registry and artifacts
  'registry.unreachable': entry(
    'Unavailable',
    'cannot reach the registry {registry}: {message}',
    'check the address and that the registry runs, then try again',
  ),
  'registry.tag_not_found': entry('NotFound', 'no tag "{tag}" in {repository}', 'check the tag; nothing was created'),
  'registry.artifact_missing': entry('NotFound', 'no content {digest} in {repository}', 'push the artifact again'),
  'registry.digest_mismatch': entry(
    'Unprocessable',
    '{repository} answered bytes of {actual} for {expected}',
    'the registry is damaged or lying; do not use this artifact',
  ),
  'registry.bad_manifest': entry(
    'Unprocessable',
    'the manifest {digest} in {repository} is refused: {message}',
    'build the artifact with a tool that writes valid OCI manifests',
  ),
  'registry.denied': entry(
    'Forbidden',
    'the registry {registry} refuses access to {repository}',
    'allow anonymous reading there',
  ),
  'registry.directory_forbidden': entry(
    'Forbidden',
    'the directory {directory} is outside of those allowed for OCI image layouts',
    'allow it in STELLA_LAYOUT_DIRECTORIES',
  ),
  'registry.reference': entry(
    'InvalidInput',
    '"{value}" is not an artifact reference; {message}',
    'write registry/repository:tag, registry/repository@sha256:… or oci-layout:/directory:tag',
  ),
  'registry.limit': entry(
    'LimitExceeded',
    '{what} of {repository} is larger than {bytesMax} bytes',
    'make the artifact smaller',
  ),
  // Gates
  'gate.failed': entry(
    'Unprocessable',
    'gate "{gate}" said no: {message}',
    'see: stella promotion gates {promotionId}',
  ),
  'gate.timeout': entry(
    'Unavailable',
    'gate "{gate}" did not answer within {timeoutMs} ms',
    'see that the gate service runs, then: stella promotion retry {promotionId}',
  ),
  'gate.error': entry(
    'Unavailable',
    'gate "{gate}" could not be asked: {message}',
    'see that the gate service runs, then: stella promotion retry {promotionId}',
  ),
  'gate.dns': entry(
    'Unavailable',
    'the name in the URL of gate "{gate}" was not found: {message}',
    'correct the name or the name service; see: stella promotion diagnose {promotionId}',
  ),
  'gate.unreachable': entry(
    'Unavailable',
    'gate "{gate}" could not be connected to: {message}',
    'see that the gate service runs; see: stella promotion diagnose {promotionId}',
  ),
  'gate.tls': entry(
    'Unavailable',
    'gate "{gate}" is not trusted: {message}',
    'renew or correct its certificate; see: stella promotion diagnose {promotionId}',
  ),
  'gate.deadline': entry(
    'Unprocessable',
    'gate "{gate}" was not settled before {deadlineAt}',
    'start anew: stella promotion retry {promotionId}',
  ),
  'gate.hold_ended': entry(
    'Unprocessable',
    'gate "{gate}" was held until {heldUntil} and nobody acted',
    'start anew: stella promotion retry {promotionId}',
  ),
  'gate.rejected': entry(
    'Unprocessable',
    '{actor} rejected at gate "{gate}": {reason}',
    'talk to them; then: stella promotion retry {promotionId}',
  ),
  'gate.bad_response': entry(
    'Unavailable',
    'gate "{gate}" answered something else than a verdict: {message}',
    'the service must answer {"verdict":"passed"} or {"verdict":"failed"}',
  ),
  'gate.address_forbidden': entry(
    'Forbidden',
    'the address {address} of gate "{gate}" is not in the allowed ranges',
    'allow it in STELLA_OUTGOING_ALLOW, or correct the URL',
  ),
  'gate.rounds': entry(
    'Unprocessable',
    'gate "{gate}" expired in {rounds} rounds',
    'raise its validFor, then: stella promotion retry {promotionId}',
  ),
  // Locks, queue
  'lock.revoked': entry(
    'Conflict',
    'the lock {lockId} was released by {actor}',
    'see what runs: stella orch artifacts list --env {environment}; then: stella promotion retry {promotionId}',
  ),
  'queue.max_wait': entry(
    'Unprocessable',
    'no lock within {maxWaitMs} ms',
    'see: stella orch locks list; then: stella promotion retry {promotionId}',
  ),
  'promotion.cancelled': entry(
    'Conflict',
    'promotion {promotionId} was cancelled',
    'start anew: stella promotion retry {promotionId}',
  ),
  'promotion.overtaken': entry(
    'Conflict',
    'a newer release {base} reached {environment} first',
    'nothing to do; the newer release is there',
  ),
  'promotion.components_missing': entry(
    'Conflict',
    'the environment {environment} wants all components at once now, and the release carries only some',
    'promote a release with all of them, or set concurrency: per_component again: stella apply',
  ),
  'promotion.replaced': entry(
    'Conflict',
    'a newer promotion {promotionId} to {environment} took its place',
    'nothing to do; to bring this release after all, make a promotion of it again',
  ),
  // Targets
  'precheck.failed': entry(
    'Unavailable',
    'the precheck did not pass: {message}',
    'mend what it names, then: stella promotion retry {promotionId}',
  ),
  'deploy.failed': entry(
    'Unprocessable',
    'the deploy failed on {targets}: {message}',
    'see: stella promotion trace {promotionId} --verbose',
  ),
  'deploy.deadline': entry(
    'Unprocessable',
    'the deploy did not end within {deadlineMs} ms',
    'see: stella promotion trace {promotionId} --verbose',
  ),
  'verify.failed': entry(
    'Unprocessable',
    'the verification failed on {targets}: {message}',
    'see: stella promotion trace {promotionId} --verbose',
  ),
  'rollback.failed': entry(
    'Unprocessable',
    'the rollback failed on {targets}: {message}',
    'see what runs: stella orch artifacts list --env {environment}',
  ),
  'preflight.failed': entry(
    'Unprocessable',
    'the preflight did not pass: {message}',
    'mend what it names, then: stella promotion retry {promotionId}',
  ),
  'target.unhealthy': entry(
    'Unprocessable',
    'target {target} is not healthy: {message}',
    'read what its health check answers',
  ),
  'target.wrong_digest': entry(
    'Unprocessable',
    'target {target} runs {actual}, promised was {expected}',
    'see: stella orch artifacts list',
  ),
  'target.fence_stale': entry(
    'Conflict',
    'target {target} refused fence {fence}: it holds {held}',
    'nothing to do; a newer operation owns the target',
  ),
  'target.busy': entry(
    'Unavailable',
    'target {target} is busy with another operation until {deadlineMs} ms passed',
    'try again later',
  ),
  'target.unpack_refused': entry(
    'Unprocessable',
    'target {target} refuses the entry "{path}": {message}',
    'build the artifact without it',
  ),
  'target.directory_forbidden': entry(
    'Forbidden',
    'the directory {directory} of target {target} is outside of the allowed ones',
    'allow it in STELLA_TARGET_DIRECTORIES',
  ),
  'target.interrupted': entry(
    'Unavailable',
    'the work at target {target} was ended before it changed anything: {message}',
    'try again; if it repeats, look at the disk and the network of the target',
  ),
  'target.disk_full': entry(
    'Unavailable',
    'the disk of target {target} is full: {message}',
    'free space, then retry the promotion',
  ),
  'target.denied': entry(
    'Unavailable',
    'target {target} refuses access: {message}',
    'give the user of the server the rights, then retry the promotion',
  ),
  'target.disk': entry(
    'Unavailable',
    'target {target} cannot write: {message}',
    'free space or mend the rights, then retry the promotion',
  ),
  // Start-up and environment of the server
  'config.invalid': entry('InvalidInput', 'the setting {name} is invalid: {message}', 'correct it and start again'),
  'data_dir.owned': entry(
    'Conflict',
    'the data directory {directory} belongs to the running server with pid {pid}',
    'use that server, stop it, or choose another directory with --data-dir',
  ),
  'data_dir.unusable': entry(
    'Unavailable',
    'the data directory {directory} cannot be used: {message}',
    'choose another with --data-dir, or give a database with STELLA_DATABASE_URL',
  ),
  'database.platform': entry(
    'Unavailable',
    'no embedded PostgreSQL for {platform}',
    'give a database with STELLA_DATABASE_URL',
  ),
  'database.socket_path': entry(
    'InvalidInput',
    'the socket path {path} has {bytes} bytes, PostgreSQL allows 107',
    'choose a shorter directory with --data-dir, or give a database with STELLA_DATABASE_URL',
  ),
  'database.uid': entry(
    'Unavailable',
    'the user id {uid} has no name on this machine, which initdb needs: {message}',
    'run as a user with a name, or give a database with STELLA_DATABASE_URL',
  ),
  'database.start': entry(
    'Unavailable',
    'the embedded PostgreSQL did not start: {message}',
    'read {logFile}, or give a database with STELLA_DATABASE_URL',
  ),
  'database.schema_newer': entry(
    'Conflict',
    'the database has schema {found}, this program knows {known}',
    'start the newer version of stella',
  ),
  'database.version': entry(
    'Unavailable',
    'PostgreSQL {found} is not supported; 15 to 18 are',
    'use a supported version',
  ),
  'database.unavailable': entry(
    'Unavailable',
    'the database does not answer: {message}',
    'wait a moment and try again; see: stella orch status',
  ),
  'server.insecure_listen': entry(
    'InvalidInput',
    'listening on {address} would send tokens in clear text',
    'pass --tls-cert and --tls-key, listen on 127.0.0.1, or pass --insecure-listen',
  ),
  'server.address_in_use': entry(
    'Conflict',
    'the address {address} is in use',
    'stop the other program or pass --listen',
  ),
  'server.unreachable': entry(
    'Unavailable',
    'cannot reach the server at {server}: {message}',
    'start it with: stella orch serve, or pass --server',
  ),
  'server.version': entry(
    'Unprocessable',
    'what answers there speaks API {found}, this client speaks {known}',
    'check the address; use a client of the same major version',
  ),
  'request.timeout': entry('Unavailable', 'no answer within {timeoutMs} ms', 'try again, or pass --timeout'),
  // The service of this machine
  'service.other_host': entry(
    'Conflict',
    '{server} is the server that is configured, and it is not on this machine',
    'run the same command on {host}',
  ),
  'service.unmanaged': entry(
    'Conflict',
    'the orchestrator runs as pid {pid}, which was started by hand: nobody manages it',
    'run: kill -TERM {pid}; when it has ended: stella service start orchestrator',
  ),
  'service.elsewhere': entry(
    'Conflict',
    'the data directory {directory} is used from elsewhere: {message}',
    'run the command in there: docker exec <container> stella service restart orchestrator',
  ),
  'service.manager': entry('Unavailable', '{command}: {message}', 'see: systemctl status stella-orchestrator.service'),
  'service.supervised': entry(
    'Conflict',
    'a supervisor keeps the orchestrator of {directory} running already, as pid {pid}',
    'look at it: stella service status orchestrator',
  ),
  'service.not_ready': entry(
    'Unavailable',
    'the orchestrator is not ready after {seconds} s: {message}',
    'see: stella service logs orchestrator',
  ),
  // The command line
  'cli.usage': entry('InvalidInput', '{message}', 'run the command with --help'),
  'cli.config_mode': entry(
    'InvalidInput',
    'the file {path} can be read by others (mode {mode})',
    'run: chmod 600 {path}',
  ),
  'cli.confirmation': entry('InvalidInput', '{what} asks for confirmation and this is no terminal', 'pass --yes'),
  // Our own faults
  'worker.claim_lost': entry(
    'Conflict',
    'the claim on {promotionId} was lost to a newer one',
    'nothing to do; the newer worker goes on',
  ),
  internal: entry('InvariantViolated', 'an error that should not happen: {message}', 'report it with the request id'),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** HTTP status of each kind. Source: `docs/errors.md`. */
export const HTTP_STATUS_BY_KIND: Readonly<Record<ErrorKind, number>> = {
  InvalidInput: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  Unprocessable: 422,
  LimitExceeded: 429,
  Unavailable: 503,
  InvariantViolated: 500,
};

/** Exit code of the command line for each kind. Source: `stella help exit-codes`. */
export const EXIT_CODE_BY_KIND: Readonly<Record<ErrorKind, number>> = {
  InvalidInput: 2,
  Unauthenticated: 3,
  Forbidden: 3,
  NotFound: 4,
  Conflict: 6,
  Unprocessable: 1,
  LimitExceeded: 10,
  Unavailable: 10,
  InvariantViolated: 1,
};
