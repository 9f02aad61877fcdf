/**
 * What works in the directory of a `files` target on its host: a POSIX sh script that takes one step a line on stdin and
 * answers each in one line. It decides nothing; what is decided comes from this side. It needs GNU coreutils, findutils and
 * tar, whose words with NUL keep every file name apart, and is run inside of the fence wherever it changes something.
 */
import type { HostArgv } from '../../ports/target-host.ts';

/** Differences of a tree that are told; one is enough to call it not whole. */
const DIFFERENCES_MAX = 200;
/** Of what one step says, before it is coded. */
const WORDS_BYTES_MAX = 60_000;
/** One line of an answer: base64 of that, and its code. */
export const ANSWER_BYTES_MAX = 100_000;

/** Exit codes of steps that mean more than that it did not work. */
export const STEP_CODES = { fine: 0, notSo: 3, switchedUnsynced: 9 } as const;

/**
 * `whole` compares a sorted list of all names, modes, sizes, links and SHA-256 with the one that was made of verified bytes;
 * it ends with `.`, so that a comparison that was cut short is no agreement. Names of releases hold no blank and no dot at
 * their beginning. `receive` reads the archive in pieces, each after its size, to its end also when it cannot keep it.
 */
const SCRIPT = `set -u
umask 022
LC_ALL=C
export LC_ALL
root=$1
state=$root/.stella
releases=$root/releases
list() {
  find . -mindepth 1 \\( -type f -printf 'f %m %s %p\\0' -o -type d -printf 'd %m %p\\0' \\
    -o -type l -printf 'l %p//%l\\0' -o -printf 'x %y %p\\0' \\)
  find . -type f -print0 | xargs -0 -r sha256sum -z
}
differ() {
  [ -f "$1" ] || { printf 'its file index is missing'; return 3; }
  [ -d "$2" ] && [ ! -L "$2" ] || { printf 'it is not there'; return 3; }
  { (cd "$2" && list) | sort -z | { comm -z -3 "$1" - && printf '.\\0'; } | head -z -n ${DIFFERENCES_MAX}; } 2>/dev/null
}
prepare() {
  mkdir -p "$releases" && (umask 077 && mkdir -p "$state/indexes" "$state/staging" "$state/trash") || return
  for one in "$releases" "$state"; do
    [ ! -L "$one" ] || { printf '"%s" is not a directory' "$one"; return 3; }
  done
  [ -L "$root/current" ] || [ ! -e "$root/current" ] || { printf '"current" is not a symlink'; return 3; }
}
can() { "$@" >/dev/null 2>&1 </dev/null; }
missing() {
  can find / -maxdepth 0 -printf '' && can xargs -0 -r true || echo 'GNU findutils'
  can comm -z /dev/null /dev/null && can sort -z && can head -z -n 1 && can sha256sum -z && can sync -f / ||
    echo 'GNU coreutils'
  tar --version 2>/dev/null | grep -q GNU || echo 'GNU tar'
}
machine() { uname -m; }
current() {
  kind=$(stat -c %F "$root/current" 2>&1) || case $kind in
  *'No such file'* | *'Not a directory'*) return 0 ;;
  *) printf '%s' "$kind"; return 1 ;;
  esac
  [ "$kind" = 'symbolic link' ] || { printf '"current" is not a symlink'; return 3; }
  readlink -n "$root/current"
}
releases() { ls "$releases"; }
whole() { differ "$state/indexes/$1.list" "$releases/$1"; }
clean() {
  rm -rf "$state"/staging/* "$state"/trash/* "$state"/pending-* || return
  for one in "$state"/indexes/*.list; do
    name=\${one##*/}
    [ -d "$releases/\${name%.list}" ] || rm -f "$one"
  done
}
reuse() {
  cp "$state/indexes/$1.list" "$state/indexes/$2.list" && sync "$state/indexes/$2.list" "$state/indexes" &&
    mv -T "$releases/$1" "$releases/$2" && sync "$releases" && rm -f "$state/indexes/$1.list"
}
pieces() { while IFS= read -r size && [ "$size" != 0 ]; do head -c "$size"; done; }
unpack() {
  code=0
  mkdir -m 700 "$1" && chmod g-s "$1" &&
    tar --extract --preserve-permissions --no-same-owner --touch --directory="$1" --file=- || code=$?
  cat >/dev/null
  return "$code"
}
place() {
  found=$(differ "$1/index" "$1/tree" | tr '\\0' '\\n')
  [ "$found" = . ] || { printf 'what came is not what was sent: %s' "$found"; return 1; }
  sync -f "$1" && mv -T "$1/index" "$state/indexes/$2.list" && mv -T "$1/tree" "$releases/$2" &&
    sync "$state/indexes" "$releases"
}
receive() {
  code=0
  { pieces | unpack "$state/staging/$1"; } && place "$state/staging/$1" "$1" || code=$?
  rm -rf "$state/staging/$1"
  return "$code"
}
switch() {
  link=$state/pending-$1
  ln -sfn "releases/$1" "$link" && mv -fT "$link" "$root/current" || { rm -f "$link"; return 1; }
  sync "$root" || return 9
}
drop() {
  for one; do
    mv -T "$releases/$one" "$state/trash/$one" && rm -rf "$state/trash/$one" "$state/indexes/$one.list" || return
  done
}
while IFS=' ' read -r step names; do
  case $step in
  prepare | missing | machine | current | releases | whole | clean | reuse | receive | switch | drop) ;;
  *) exit 64 ;;
  esac
  { code=0; "$step" $names 2>&1 || code=$?; printf '\\0%s' "$code"; } | tail -c ${WORDS_BYTES_MAX} | base64 | tr -d '\\n'
  echo
done`;

export type HostStep =
  | 'prepare'
  | 'missing'
  | 'machine'
  | 'current'
  | 'releases'
  | 'whole'
  | 'clean'
  | 'reuse'
  | 'receive'
  | 'switch'
  | 'drop';

export function directoryArgv(directory: string): HostArgv {
  return ['sh', '-c', SCRIPT, 'stella', directory];
}
