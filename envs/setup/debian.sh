#!/usr/bin/env bash
# Debian packages, listed by purpose in envs/debian/*.txt.
#   debian.sh missing LIST...        names those of the lists that are not installed, on one line
#   debian.sh may-install "NAMES"    fails, with the command to type, where this user cannot install them
#   debian.sh install "NAMES"        installs them and leaves no service of theirs running
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages() {
  local list
  for list in "$@"; do
    sed -E 's/[[:space:]]*#.*//; /^$/d' "$here/debian/$list.txt"
  done | sort -u
}

missing() {
  local wanted installed
  wanted=$(packages "$@")
  if ! command -v dpkg-query >/dev/null; then
    printf 'setup: not a Debian machine; see to it that you have what these packages hold: %s\n' \
      "$(tr '\n' ' ' <<<"$wanted")" >&2
    return 0
  fi
  # shellcheck disable=SC2016,SC2086  # ${..} is dpkg-query's own format; one word per package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$wanted") <(sort -u <<<"$installed") | paste -sd' '
}

may_install() {
  [ "$EUID" -ne 0 ] || return 0
  cat >&2 <<TEXT
setup: these Debian packages are missing, and only root can install them. Type

  sudo apt-get update && sudo apt-get install --yes --no-install-recommends $1

and then the same make command again; or type that with sudo, which installs them by itself.
TEXT
  return 1
}

apt_install() {
  # --fix-broken and `dpkg --configure -a` mend what an installation killed half-way has left.
  dpkg --configure -a
  # shellcheck disable=SC2086  # one word per package
  apt-get install --yes --no-install-recommends --fix-broken \
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 $1 </dev/null
}

# The rig starts a store of its own in every run. One that Debian started beside it would use memory and processor
# time while runs are timed, so the services of packages that were installed just now are stopped and not started at
# boot. A package that was there before keeps its service: that one belongs to somebody else. No policy-rc.d is laid
# down for this: a kill in the middle would leave it behind and stop unrelated packages from starting theirs.
leave_nothing_running() {
  local unit name
  # shellcheck disable=SC2086  # one word per package
  for unit in $(dpkg -L $1 | sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+)\.service$#\2#p' | sort -u); do
    if [ -d /run/systemd/system ]; then
      systemctl disable --now "$unit.service"
    fi
  done
  # shellcheck disable=SC2086
  for name in $(dpkg -L $1 | sed -nE 's#^/etc/init\.d/([^/]+)$#\1#p' | sort -u); do
    if [ ! -d /run/systemd/system ]; then
      service "$name" stop || true
      update-rc.d "$name" disable || true
    fi
  done
}

install_all() {
  export DEBIAN_FRONTEND=noninteractive
  if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    apt-get update
    apt_install "$1"
  else
    # Lists may be old and name versions that are gone: only then they are fetched anew.
    apt_install "$1" || { apt-get update && apt_install "$1"; }
  fi
  leave_nothing_running "$1"
}

case $1 in
  missing) shift; missing "$@" ;;
  may-install) may_install "$2" ;;
  install) install_all "$2" ;;
  *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
