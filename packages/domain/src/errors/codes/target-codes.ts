/** Error codes: targets. */
import { type ErrorEntry, entry } from './error-entry.ts';

export const TARGET_CODES = {
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
  'canary.failed': entry(
    'Unprocessable',
    'the judge of the canary said no: {message}',
    'see: stella promotion trace {promotionId} --verbose',
  ),
  'canary.unanswered': entry(
    'Unavailable',
    'the judge of the canary did not answer: {message}',
    'mend what it names, then: stella promotion retry {promotionId}',
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
    'the work at target {target} was ended before it was done: {message}',
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
  'target.unreachable': entry(
    'Unavailable',
    'the host {host} of target {target} is not reached: {message}',
    'see at which stage it fails: stella orch connectivity',
  ),
  'target.credentials': entry(
    'Unavailable',
    'the host {host} of target {target} takes no login: {message}',
    'put the public key into authorized_keys of that user, then: stella orch credentials verify',
  ),
  'target.host_key': entry(
    'Unavailable',
    'the host {host} of target {target} does not prove to be the one that was named: {message}',
    'compare with ssh-keygen -lf on the host itself; if it was really changed, correct hostKey or knownHosts',
  ),
  'target.program_forbidden': entry(
    'Forbidden',
    'target {target} may not run its program: {message}',
    'put it below one of STELLA_COMMAND_DIRECTORIES, and restart the orchestrator',
  ),
  'target.program_missing': entry(
    'NotFound',
    'target {target} lacks a program: {message}',
    'install it on the host, or correct the definition',
  ),
  'target.command_failed': entry(
    'Unprocessable',
    'a program of target {target} failed: {message}',
    'see what it says on the host; it must print nothing but the digest when it observes',
  ),
  'target.fence_damaged': entry(
    'Unavailable',
    'the fence of target {target} cannot be read: {message}',
    'make sure that nothing works on the target, then remove the files in its state directory',
  ),
  'target.engine_down': entry(
    'Unavailable',
    'the engine of target {target} does not answer: {message}',
    'start the engine, or open the way to it, then retry the promotion',
  ),
  'target.engine_refused': entry(
    'Unprocessable',
    'the engine of target {target} refuses: {message}',
    'correct what it names in the definition of the target or on its host',
  ),
  'target.engine_forbidden': entry(
    'Forbidden',
    'target {target} would use the engine at {socket} of this machine, which is not allowed',
    'allow it in STELLA_ENGINE_SOCKETS, or name the host by which it is reached',
  ),
  'target.switch_broken': entry(
    'Unavailable',
    'target {target} was cut off in the middle of its switch: {message}',
    'retry the promotion: the next operation brings the containers in order',
  ),
  'target.engine_old': entry(
    'Unprocessable',
    'the engine of target {target} speaks API {actual}, at least {expected} is needed',
    'update the engine',
  ),
  'target.in_the_way': entry(
    'Unprocessable',
    "target {target} would have the container {container}, which is somebody else's",
    'rename or remove that container, or give the target another name for its own',
  ),
  'target.compose_failed': entry(
    'Unprocessable',
    'the project of target {target} could not be brought up: {message}',
    'correct what it names in the definition of the target or on its host',
  ),
  'target.source_unfit': entry(
    'Unprocessable',
    'target {target} takes artifacts from a registry, not from {source}',
    'push the artifact to a registry and release it from there',
  ),
  'target.secret_missing': entry(
    'Unprocessable',
    'target {target} lacks a secret: {message}',
    'give it to the server, then retry the promotion',
  ),
} as const satisfies Record<string, ErrorEntry>;
