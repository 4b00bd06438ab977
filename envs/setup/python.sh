#!/usr/bin/env bash
# The Python environment .venv/: locked packages with hashes, and fuselab itself, editable.
#   python.sh todo LEVEL      says "python" if .venv/ is not up to date for LEVEL (runtime, cluster or dev), else nothing
#   python.sh install LEVEL   brings it up to date
#   python.sh has-uv          succeeds if a usable uv is on PATH or was fetched before
#   python.sh can-start       succeeds if `install` needs nothing from Debian first
#   python.sh uv              says which uv that is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
checkout=$PWD
stamps=$checkout/.venv/.fuselab
uv_version=$(sed -nE 's/^uv==([^ ;]+).*/\1/p' envs/uv.txt)
own_uv=${XDG_CACHE_HOME:-$HOME/.cache}/fuselab/uv/$uv_version

requirements() {
  case $1 in
    runtime) echo envs/requirements.txt ;;
    cluster) echo envs/requirements-cluster.txt ;;
    dev) echo envs/requirements-dev.txt ;;
    *) echo "setup: unknown level $1: runtime, cluster or dev" >&2; return 2 ;;
  esac
}

# What the environment of a level is made from; the path is in it because an environment cannot be moved.
fingerprint() {
  { cat "$(requirements "$1")" pyproject.toml envs/setup/python.sh; echo "$checkout"; } | sha256sum | cut -d' ' -f1
}

is_made() { [ -x .venv/bin/python ] && [ "$(cat "$stamps/$1" 2>/dev/null)" = "$(fingerprint "$1")" ]; }

todo() {
  requirements "$1" >/dev/null
  # The packages of dev contain those of cluster, and those the ones of runtime.
  local made
  case $1 in runtime) made="dev cluster runtime" ;; cluster) made="dev cluster" ;; *) made=$1 ;; esac
  for made in $made; do
    ! is_made "$made" || return 0
  done
  echo python
}

find_uv() {
  local candidate
  for candidate in uv "$own_uv/bin/uv"; do
    # Called, not only looked up: a version manager's stand-in may be there without a uv behind it.
    if "$candidate" --version >/dev/null 2>&1; then echo "$candidate"; return; fi
  done
  return 1
}

find_python() {
  local candidate
  for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

can_start() {
  local python
  [ -e /etc/ssl/certs/ca-certificates.crt ] || return 1
  python=$(find_python) || return 1
  find_uv >/dev/null || "$python" -c 'import ensurepip' 2>/dev/null
}

fetch_uv() {
  local half
  mkdir -p "$(dirname "$own_uv")"
  # Another checkout may be fetching it too: whoever comes second finds it there.
  exec 8>"$own_uv.lock"
  flock 8
  ! find_uv >/dev/null || return 0
  half=$(mktemp -d "$own_uv.XXXXXX")
  "$1" -m venv "$half"
  "$half/bin/python" -m pip install --quiet --require-hashes --requirement envs/uv.txt
  # uv is one self-contained program, so it still works after the move that makes this all or nothing.
  rm -rf "$own_uv"
  mv -T "$half" "$own_uv"
}

install_all() {
  local uv python
  # The machine's own certificates, as apt, git and cargo use them; uv's second name for it is that of older versions.
  export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
  python=$(find_python) || { echo "no Python of at least 3.11 found: install python3.11"; return 1; }
  find_uv >/dev/null || fetch_uv "$python"
  uv=$(find_uv)
  # A mark left over means an installation was cut off inside a package: such an environment is made anew.
  # What is removed below is an environment in this checkout and nothing else.
  if [ -L .venv ] || { [ -e .venv ] && [ ! -e .venv/pyvenv.cfg ] && [ ! -e "$stamps" ] && [ -n "$(ls -A .venv)" ]; }; then
    echo ".venv is not an environment of this checkout's own: move it away"
    return 1
  fi
  if [ -e "$stamps/unfinished" ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    "$uv" venv --clear --no-python-downloads --python "$python" .venv
  fi
  mkdir -p "$stamps"
  touch "$stamps/unfinished"
  # --build-constraints: what is built from source is built by the locked backend and no other.
  # --compile-bytecode: where the caller has Python write none, as many containers do, each call compiles all it imports
  # anew, and a call of Snakemake takes 6.4 s to begin instead of 1.5.
  "$uv" pip install --python .venv/bin/python --require-hashes --compile-bytecode \
    --build-constraints envs/requirements.txt --requirement "$(requirements "$1")"
  "$uv" pip install --python .venv/bin/python --no-deps --no-build-isolation --offline --editable .
  # The same for this checkout's own modules: `fuselab check` takes 0.34 s without, 0.23 s with it.
  .venv/bin/python -m compileall -q scripts
  # What shells read to complete names at Tab: in here, and nowhere else.
  .venv/bin/fuselab completion --install
  # What editors read to complete and refuse names.
  .venv/bin/fuselab schema --here
  fingerprint "$1" >"$stamps/$1"
  rm "$stamps/unfinished"
}

case $1 in
  todo) todo "$2" ;;
  install) install_all "$2" ;;
  has-uv) find_uv >/dev/null ;;
  can-start) can_start ;;
  uv) find_uv ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
