# shellcheck shell=bash
# Who asked: under sudo, the person who typed it. Sourced by setup.sh and run.sh; starts nothing by itself.
#
# sudo resets PATH, HOME and the cache folder, so cargo would not be found and the caches would be root's. After this
# file: cargo is on PATH if the caller has one, XDG_CACHE_HOME is the caller's, and `as_caller` drops to the caller.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Services and containers may start programs without HOME.
export HOME=${HOME:-$(getent passwd "$EUID" | cut -d: -f6)}
# Python reads its .pth files in the locale's encoding: a checkout called `ü` would end it under LC_ALL=C.
export PYTHONUTF8=1
caller_home=$HOME
caller_uid=
if [ "$EUID" -eq 0 ] && [ "${SUDO_UID:-0}" -ne 0 ]; then
  caller_home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
  export CARGO_HOME=${CARGO_HOME:-$caller_home/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$caller_home/.rustup}
  # A checkout of somebody else's (root's own, say) cannot be written as the caller: then root does it all.
  [ "$(stat -c %u "$checkout")" -ne "$SUDO_UID" ] || caller_uid=$SUDO_UID
fi
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$caller_home/.cache}
# sudo's PATH may have a distribution's cargo, which is too old: the caller's own goes first.
if [ "${SUDO_UID:-0}" -ne 0 ] || ! command -v cargo >/dev/null; then
  PATH=${CARGO_HOME:-$caller_home/.cargo}/bin:$PATH
fi

# Runs a command as the person who typed sudo, so that what it writes is theirs from the start.
as_caller() {
  if [ -n "$caller_uid" ]; then
    setpriv --reuid="$caller_uid" --regid="$SUDO_GID" --init-groups env HOME="$caller_home" "$@"
  else
    "$@"
  fi
}
