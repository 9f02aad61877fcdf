/**
 * What runs on the host inside of the fence: keeps the lock, brings the project to it, and tells how that ended while the
 * fence is still held. POSIX sh; a new `docker compose` and the older `docker-compose` take the same words.
 */
import type { HostArgv } from '../../ports/target-host.ts';

/** Locks of earlier deploys that stay on the host. */
const LOCKS_KEPT = 50;

/**
 * Waits for the lock in one line of base64, so that nothing is written before the fence was checked once more. Then come the
 * values of secrets, one a line with the variable that Compose finds it in, and an empty line: they are in no file and among
 * no arguments, which others see. Names of locks are hex digits. The last line is the operation and the exit code; 125: the
 * lock could not be kept.
 */
const SCRIPT = `umask 077
d=$1 sum=$2 project=$3 more=$4
lock=$d/locks/$sum.yaml
end() { printf '\\n%s %s\\n' "$STELLA_OPERATION" "$1"; exec cat >/dev/null; }
IFS= read -r text || exit 1
while IFS=' ' read -r name value || exit 1; [ -n "$name" ]; do
  export "$name=$(printf %s "$value" | base64 -d)"
done
exec 2>&1
mkdir -p "$d/locks" && printf %s "$text" | base64 -d >"$lock.new" &&
  [ "$(sha256sum <"$lock.new" | cut -d' ' -f1)" = "$sum" ] &&
  sync "$lock.new" && mv -f "$lock.new" "$lock" && sync "$d/locks" || end 125
if docker compose version >/dev/null 2>&1; then set -- docker compose; else set -- docker-compose; fi
code=0
"$@" -p "$project" -f "$lock" up -d --remove-orphans $more </dev/null || code=$?
ls -t "$d/locks" | tail -n +${LOCKS_KEPT + 1} | while IFS= read -r old; do rm -f "$d/locks/$old"; done
end "$code"`;

export const LOCK_NOT_KEPT = 125;

/**
 * `socket`: of the engine; null: where the host's programs look by themselves. `isMadeAnew`: all containers are made anew, for
 * Compose leaves those whose labels fit.
 */
export function upArgv(
  { directory, checksum }: { readonly directory: string; readonly checksum: string },
  {
    project,
    socket,
    isMadeAnew,
  }: { readonly project: string; readonly socket: string | null; readonly isMadeAnew: boolean },
): HostArgv {
  const more = isMadeAnew ? '--force-recreate' : '';
  return [...engineEnv(socket), 'sh', '-c', SCRIPT, 'stella', directory, checksum, project, more];
}

/** What the script waits for. `values` are of one line each. */
export function scriptInput(lock: string, values: Readonly<Record<string, string>>): string {
  const lines = Object.entries(values).map(([name, value]) => `${name} ${toBase64(value)}\n`);
  return `${toBase64(lock)}\n${lines.join('')}\n`;
}

/** Compose has no reason to say a value, but what it says is recorded and shown. A value may begin as a shorter one does. */
export function withoutValues(said: string, values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .sort(([, one], [, other]) => other.length - one.length)
    .reduce((text, [name, value]) => text.replaceAll(value, `\${${name}}`), said);
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Says which Compose the host has, on stdout, or ends with another exit code than 0. */
export function versionArgv(): HostArgv {
  return ['sh', '-c', 'docker compose version --short 2>/dev/null || docker-compose version --short'];
}

function engineEnv(socket: string | null): readonly [string, ...string[]] {
  return socket === null ? ['env'] : ['env', `DOCKER_HOST=unix://${socket}`];
}
