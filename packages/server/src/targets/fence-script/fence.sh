# The fence of a target on its host (safety S4): POSIX sh with coreutils, flock, setsid and /proc, for any user.
# Run as: sh -c 's=$1; shift; eval "$s"' stella "<this text>" VERB DIRECTORY ARGUMENTS
# All it knows is in DIRECTORY: `pair` is the accepted (epoch, n, operation) with the operation accepted last before it;
# `result` is what that recorded; `holder` and `group` say who holds apply.lock and which program it has started.
# The first line of stdout is the answer, the exit code says the same: 0 accepted, 110 refused, 111 known, 112 busy,
# 113 the directory cannot be written, 114 it is damaged, 118 a newer one was accepted meanwhile.
set -u
umask 077
verb=$1 d=$2
shift 2
case $d in
/*) ;;
*) if [ "$(id -u)" = 0 ]; then d=/var/lib/stella/$d; else d=${HOME:?}/.local/state/stella/$d; fi ;;
esac

quit() { code=$1; shift; printf '%s\n' "$@"; exit "$code"; }

# Whole and on the disk, or not at all: a torn file lacks its end, and is never given its name. `cat` says why it cannot write.
store() {
  if printf '%s\n' "$2" | cat >"$d/$1.new" && sync "$d/$1.new" && [ "$(cat "$d/$1.new")" = "$2" ] &&
    mv -f "$d/$1.new" "$d/$1" && sync "$d"; then return 0; fi
  rm -f "$d/$1.new"
  quit 113 "unwritable $1"
}
lock_state() {
  # Not `:`, which ends the shell without an answer when it cannot write (POSIX, 2.8.1).
  mkdir -p "$d" && true >>"$d/state.lock" && exec 8>>"$d/state.lock" || quit 113 "unwritable state.lock"
  flock -w 10 8 || quit 112 "busy state.lock"
}
read_pair() {
  e=0 n=0 op=- le=0 ln=0 lop=-
  [ -e "$d/pair" ] || return 0
  IFS=' ' read -r e n op le ln lop mark <"$d/pair" && [ "$mark" = . ] || quit 114 "damaged pair"
  case $e$n$le$ln in '' | *[!0-9]*) quit 114 "damaged pair" ;; esac
}
is_above() { [ "$1" -gt "$e" ] || { [ "$1" -eq "$e" ] && [ "$2" -gt "$n" ]; }; }
is_same() { [ "$1" -eq "$e" ] && [ "$2" -eq "$n" ]; }
check() { read_pair; is_same "$1" "$2" && [ "$op" = "$3" ] || quit 118 "fenced $e $n $op"; }
tell() {
  printf '%s\n' "pair $e $n $op $le $ln $lop"
  if [ -e "$d/result" ] && read -r line <"$d/result"; then printf 'result %s\n' "$line"; fi
}

# proc(5), "/proc/pid/stat": its state, group, and start since boot, after a name that may hold anything.
facts() {
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${line##*) }
  state=$1 grp=$3 start=${20}
}
boot() { cat /proc/sys/kernel/random/boot_id; }
note() { facts "$2" && store "$1" "$(boot) $2 $start $3"; }
# Who FILE names: false when it is of another boot. Numbers are used again, so `pid` alone is nobody.
read_note() {
  [ -e "$d/$1" ] && read -r at pid since of <"$d/$1" && [ "$at" = "$(boot)" ]
}
is_it() { facts "$pid" && [ "$start" = "$since" ] && [ "$state" != Z ]; }
# Anybody of the group of `pid`: its leader by its start; of one that is gone, members by the mark that they were given.
is_group_there() {
  if facts "$pid"; then
    [ "$start" = "$since" ] || return 1
    [ "$state" = Z ] || return 0
  fi
  for p in /proc/[0-9]*; do
    p=${p#/proc/}
    facts "$p" && [ "$grp" = "$pid" ] && [ "$state" != Z ] || continue
    { tr '\0' '\n' <"/proc/$p/environ" | grep -qxF "STELLA_OPERATION=$of"; } 2>/dev/null && return 0
  done
  return 1
}
end_group() {
  read_note group && is_group_there || return 0
  kill -s TERM -- "-$pid" 2>/dev/null
  tries=0
  while is_group_there; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || kill -s KILL -- "-$pid" 2>/dev/null
    [ "$tries" -lt 80 ] || return 1
    sleep 0.1
  done
}
# The lock goes with the program until that is noted. A holder that is paused changes nothing itself, and is ended last.
take_lock() {
  true >>"$d/apply.lock" && exec 9>>"$d/apply.lock" || quit 113 "unwritable apply.lock"
  if ! flock -w "$1" 9; then
    end_group || quit 112 "busy group"
    if ! flock -w 2 9; then
      read_note holder && is_it && kill -s KILL "$pid"
      flock -w 8 9 || quit 112 "busy apply.lock"
    fi
  fi
  # Of a holder that was killed.
  end_group || quit 112 "busy group"
}

run() {
  # Of a holder with that number that was killed.
  rm -f "$d/stdin.$$"
  mkfifo "$d/stdin.$$" && exec 3<&0 4<>"$d/stdin.$$" 5<"$d/stdin.$$" 6>"$d/stdin.$$" || quit 113 "unwritable stdin"
  rm -f "$d/stdin.$$"
  exec 4<&-
  facts $$
  me=$start
  printf 'accepted\n'
  STELLA_OPERATION=$3 setsid sh -c 's=$1; shift; eval "$s"' stella "$s" run "$d" "$@" <&5 3<&- 5<&- 6>&- &
  child=$!
  watch 5<&- 9>&- >/dev/null 2>&1 &
  watcher=$!
  exec 3<&- 5<&- 6>&- </dev/null
  trap 'kill -s TERM "$child"; end_group' TERM HUP INT
  code=0
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
  trap '' TERM HUP INT
  kill "$watcher" 2>/dev/null
  end_group
  rm -f "$d/group" "$d/holder"
  read_pair
  is_same "$1" "$2" && [ "$op" = "$3" ] || exit 118
  [ "$code" -ne 118 ] || code=117
  exit "$code"
}
# Hands stdin over. Its end is that of the connection: the program is given a little time, then it is ended.
watch() {
  cat <&3 >&6 &
  reader=$!
  trap 'kill "$reader"; exit' TERM
  if ! wait "$reader"; then
    exec 6>&-
    cat <&3 &
    reader=$!
    wait "$reader"
  fi
  exec 6>&-
  sleep 2 &
  reader=$!
  wait "$reader"
  facts $$ && [ "$start" = "$me" ] && kill -s TERM $$
}

case $verb in
probe)
  mkdir -p "$d" && true >>"$d/state.lock" || quit 113 "unwritable $d"
  for one in flock setsid mkfifo cat mv rm mkdir sync sleep tr grep df; do
    command -v "$one" >/dev/null || printf 'missing %s\n' "$one"
  done
  df -Pk "$d" | { read -r _; read -r _ _ _ free _ && printf 'free %s\n' "$free"; }
  read_pair
  printf 'directory %s\n' "$d"
  tell
  ;;
holds) read_pair && tell ;;
check) check "$@" && printf 'accepted\n' ;;
record)
  lock_state
  check "$1" "$2" "$3"
  store result "$*"
  printf 'recorded\n'
  ;;
seal)
  lock_state
  read_pair
  is_above "$1" "$2" || is_same "$1" "$2" || quit 110 "refused $e $n $op"
  store pair "$1 $2 - $le $ln $lop ."
  exec 8>&-
  take_lock "$3"
  printf 'sealed\n'
  tell
  ;;
apply)
  lock_state
  read_pair
  if is_above "$1" "$2" || { is_same "$1" "$2" && [ "$op" = - ]; }; then
    store pair "$1 $2 $3 $1 $2 $3 ."
  else
    is_same "$1" "$2" && [ "$op" = "$3" ] || quit 110 "refused $e $n $op"
    exec 8>&-
    # While it still works, its result is waited for.
    if [ -e "$d/apply.lock" ]; then exec 9<"$d/apply.lock" && flock -w "$4" 9; fi
    printf 'known\n'
    tell
    exit 111
  fi
  exec 8>&-
  take_lock "$4"
  check "$1" "$2" "$3"
  note holder $$ "$3"
  run_e=$1 run_n=$2 run_op=$3
  shift 5
  run "$run_e" "$run_n" "$run_op" "$@"
  ;;
run)
  note group $$ "$3"
  read_pair
  is_same "$1" "$2" && [ "$op" = "$3" ] || exit 118
  shift 3
  exec "$@" 9>&-
  ;;
esac
