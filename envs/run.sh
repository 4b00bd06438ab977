#!/usr/bin/env bash
# run.sh COMMAND...: runs it with the caller's toolchain and cache; under sudo, hands back what root has written.
# It works in this checkout, or stays where it is called if `fuselab init` has made that folder a project.
set -euo pipefail
# shellcheck source=caller.sh
. "$(dirname "${BASH_SOURCE[0]}")/caller.sh"
project=$checkout
! grep -qs '^# Written by .fuselab init. (form' Snakefile || project=$PWD
cd "$project"

if [ "$EUID" -ne 0 ] || [ "${SUDO_UID:-0}" -eq 0 ]; then
  exec "$@"
fi

# shellcheck disable=SC2317  # called by the trap
hand_back() {
  local folders=("$checkout" "$XDG_CACHE_HOME" "$CARGO_HOME" "$RUSTUP_HOME")
  [ "$project" = "$checkout" ] || folders+=("$project")
  "$checkout/.venv/bin/python" -m fuselab.ownership "${folders[@]}"
}
trap hand_back EXIT

# In the background, because bash looks at a signal only after a command in the foreground has ended; in a process
# group of its own (set -m), so that Ctrl-C reaches it once, by way of this script, as if it stood in the foreground.
set -m
"$@" </dev/null &
child=$!
set +m
# shellcheck disable=SC2317  # called by the traps
pass_on() {
  interrupted=yes
  kill "$@" 2>/dev/null || true
}
trap 'pass_on -TERM "$child"' TERM HUP
trap 'pass_on -INT -- "-$child"' INT QUIT
interrupted=yes
while [ -n "$interrupted" ]; do
  interrupted=
  status=0
  wait "$child" || status=$?
done
exit "$status"
