#!/usr/bin/env bash
# run.sh COMMAND...: runs it with the caller's toolchain and cache; under sudo, hands back what root has written.
set -euo pipefail
# shellcheck source=caller.sh
. "$(dirname "${BASH_SOURCE[0]}")/caller.sh"
cd "$checkout"

if [ "$EUID" -ne 0 ] || [ "${SUDO_UID:-0}" -eq 0 ]; then
  exec "$@"
fi

# shellcheck disable=SC2317  # called by the trap
hand_back() {
  .venv/bin/python -m fuselab.ownership "$checkout" "$XDG_CACHE_HOME" "$CARGO_HOME" "$RUSTUP_HOME"
}
trap hand_back EXIT

# In the background, because bash looks at a signal only after a command in the foreground has ended; with the default
# answer to signals, because what bash starts in the background would ignore Ctrl-C.
env --default-signal=INT,QUIT,TERM "$@" <&0 &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' TERM HUP
trap : INT QUIT # a terminal sends these to the child as well: wait for its own end
status=0
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done
exit "$status"
