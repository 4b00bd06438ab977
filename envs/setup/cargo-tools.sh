#!/usr/bin/env bash
# The cargo tools of envs/cargo-tools.txt: built once per machine in the cache, copied into .venv/bin/. With a second word,
# those of another list: `verify` is envs/cargo-tools-verify.txt, `s3` envs/cargo-tools-s3.txt.
#   cargo-tools.sh todo        says "cargo-tools" if a program or its version is not as listed, else nothing
#   cargo-tools.sh has-cargo   fails, saying what to do, if something has to be built and there is no Rust toolchain for it
#   cargo-tools.sh build       builds what the cache does not hold yet (needs cargo and a C linker)
#   cargo-tools.sh can-start   succeeds if `build` needs nothing from Debian first
#   cargo-tools.sh install     builds, and copies the programs into .venv/bin/, once .venv/ is there
#
# Copies, so that a checkout still works after the cache was emptied or moved.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
list=envs/cargo-tools${2:+-$2}.txt
stamp=.venv/.fuselab/cargo-tools${2:+-$2}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fuselab/tools

# sources FOLDER...: what the tools that are our own are made of, as text.
sources() { find "$@" -type f \( -name '*.rs' -o -name 'Cargo.*' \) -not -path '*/target/*' -print0 | sort -z | xargs -0r cat; }

fingerprint() { { cat "$list" && { [ ! -d tools ] || sources tools; }; } | sha256sum | cut -d' ' -f1; }

# folder CRATE VERSION FLAGS: where the cache keeps it; a tool of our own (--path FOLDER) goes by its content, too.
folder() {
  local content=
  case $3 in --path\ *) content=-$(sources "${3#--path }" | sha256sum | cut -c1-12) ;; esac
  echo "$cache/$1-$2$content"
}

# for_each FUNCTION: calls it with crate, version, programs and flags of every line.
for_each() {
  local crate version programs flags
  while read -r crate version programs flags; do
    "$1" "$crate" "$version" "${programs//,/ }" "$flags"
  done < <(sed -E 's/[[:space:]]*#.*//; /^$/d' "$list")
}

# is_built CRATE VERSION PROGRAMS FLAGS. cargo writes .crates.toml last: a tool that was cut off half-way does not count.
is_built() {
  local program root
  root=$(folder "$1" "$2" "$4")
  grep -qs "^\"$1 $2 " "$root/.crates.toml" || return 1
  for program in $3; do
    [ -x "$root/bin/$program" ] || return 1
  done
}

name_if_unbuilt() { is_built "$@" || echo "$1"; }

name_uncopied() {
  local program
  for program in $3; do
    [ -x ".venv/bin/$program" ] || echo "$program"
  done
}

todo() {
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint)" ] || [ -n "$(for_each name_uncopied)" ]; then
    echo cargo-tools
  fi
}

build_one() {
  local program bins=() which=("$1" --version "=$2") root
  ! is_built "$@" || return 0
  root=$(folder "$1" "$2" "$4")
  # Not shared with other checkouts' sources: cargo would take what was compiled from them for its own.
  case $4 in --path\ *) which=(--target-dir "$cache/building/$(basename "$root")") ;; esac
  for program in $3; do bins+=(--bin "$program"); done
  # shellcheck disable=SC2086  # flags are words
  cargo install --locked --force --root "$root" "${which[@]}" "${bins[@]}" $4
}

has_cargo() {
  local needed version
  # A list may need more than our own tools do.
  needed=$(sed -nE 's/^(# )?rust-version = "(.*)"$/\2/p' "$list" tools/spans/Cargo.toml | head -n 1)
  if ! version=$(cargo --version 2>/dev/null | awk '{ print $2 }') || [ -z "$version" ]; then
    echo "no cargo found: install the Rust toolchain with rustup, then type the same command again"
    return 1
  fi
  if [ "$(printf '%s\n' "$needed" "$version" | sort -V | head -n 1)" != "$needed" ]; then
    echo "cargo is version $version, and $needed is needed: type \`rustup update\`, then the same command again"
    return 1
  fi
}

build() {
  [ -n "$(for_each name_if_unbuilt)" ] || return 0
  has_cargo
  for_each build_one
}

copy_one() {
  local program root
  root=$(folder "$1" "$2" "$4")
  for program in $3; do
    install -m 755 "$root/bin/$program" ".venv/bin/.$program.new"
    mv ".venv/bin/.$program.new" ".venv/bin/$program"
  done
}

install_all() {
  build
  for_each copy_one
  fingerprint >"$stamp"
}

case $1 in
  todo) todo ;;
  has-cargo) [ -z "$(for_each name_if_unbuilt)" ] || has_cargo ;;
  build) build ;;
  can-start) command -v cc >/dev/null && [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
  install) install_all ;;
  *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
