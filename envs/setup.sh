#!/usr/bin/env bash
# setup.sh [runtime|dev]: Debian packages, the Python environment in .venv/, and the pinned cargo tools in .venv/bin/.
# setup.sh cluster: runtime, and what submits jobs to slurm.
# setup.sh s3: runtime, and the server of services/s3.yaml.
# setup.sh verify: runtime, and the programs that only `verify:` in an experiment asks for.
# For its tests dev has what s3 and verify have, too.
#
# Each step first looks whether there is anything to do, so a second call costs well under a second. Steps that do not
# need each other run side by side. Every step may be killed at any moment: the next call goes on.
set -euo pipefail

# shellcheck source=caller.sh
. "$(dirname "${BASH_SOURCE[0]}")/caller.sh"
cd "$checkout"
level=${1:-runtime} more=()
case $level in verify | s3) more=("$level") level=runtime ;; dev) more=(verify s3) ;; esac
steps=$checkout/envs/setup
logs=$checkout/results/logs

say() { printf 'setup: %s\n' "$*" >&2; }

# What Snakemake, make, pip and the shells below them take in a path; the workflow refuses the same (workflow.py).
refused=$(printf %s "$checkout" | LC_ALL=C tr -d 'A-Za-z0-9_./+@,=~%^\200-\377-' && echo x)
refused=${refused%x}
printf %s "$checkout" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || refused="a byte that is no UTF-8"
if [ -n "$refused" ]; then
  case $refused in a*) ;; [[:space:]]*) refused="a space" ;; *) refused="the character ${refused:0:1}" ;; esac
  say "the path of this checkout has $refused in it, and Snakemake or a shell below it takes that for something else: move $checkout"
  exit 1
fi

# step NAME COMMAND...: runs it with its own log; on failure shows the log's last lines.
step() {
  local name=$1 log=$logs/setup-$1.log start=$SECONDS
  shift
  as_caller mkdir -p "$logs"
  as_caller tee "$log" </dev/null
  say "$name ... (log: ${log#"$checkout"/})"
  if "$@" >>"$log" 2>&1; then
    say "$name done in $((SECONDS - start)) s"
  else
    say "$name FAILED, the last lines of ${log#"$checkout"/}:"
    tail -n 25 "$log" >&2
    return 1
  fi
}

# start NAME COMMAND...: a step in the background, in a process group of its own.
declare -A running=()
start() {
  set -m
  step "$@" &
  set +m
  running[$1]=$!
}

# await NAME: waits for that step, if it was started; fails if it failed.
await() {
  local process=${running[$1]:-}
  unset "running[$1]"
  [ -z "$process" ] || wait "$process"
}

stop_steps() {
  local process
  for process in "${running[@]}"; do
    kill -TERM -- "-$process" 2>/dev/null || true
  done
}

# One setup at a time in a checkout. Children inherit the lock, so it outlives a killed setup.sh until they end too.
exec 9<"$checkout"
flock --nonblock 9 || { say "waiting for another setup in this checkout"; flock 9; }
trap stop_steps EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Builds take minutes, and no setup can help with this: better known now.
[ -e /dev/fuse ] || say "there is no /dev/fuse, so nothing can be mounted: \`sudo modprobe fuse\`, or start the container with --device /dev/fuse"

lists=(build run profile services)
"$steps/python.sh" has-uv || lists+=(python)
[ "$level" != dev ] || lists+=(dev)
missing=$("$steps/debian.sh" missing "${lists[@]}")
python_todo=$("$steps/python.sh" todo "$level")
tools_todo=$("$steps/cargo-tools.sh" todo)
more_todo=()
for list in "${more[@]}"; do
  [ -z "$("$steps/cargo-tools.sh" todo "$list")" ] || more_todo+=("$list")
done
if [ -z "$missing$python_todo$tools_todo${more_todo[*]}" ]; then
  say "nothing to do"
  exit 0
fi

# Before anything is started: nothing half-done, and no apt that would have to be ended in the middle.
[ -z "$tools_todo" ] || as_caller "$steps/cargo-tools.sh" has-cargo >&2 || exit 1
for list in "${more_todo[@]}"; do as_caller "$steps/cargo-tools.sh" has-cargo "$list" >&2 || exit 1; done

if [ -n "$missing" ]; then
  "$steps/debian.sh" may-install "$missing"
  say "Debian packages that are missing: $missing"
  # Without the lock: a daemon that a package starts would keep it for ever.
  start debian "$steps/debian.sh" install "$missing" 9<&-
  # A machine that lacks what the other steps stand on gets that from Debian first.
  if ! "$steps/python.sh" can-start || ! "$steps/cargo-tools.sh" can-start; then await debian; fi
fi
[ -z "$tools_todo" ] || start cargo-tools as_caller "$steps/cargo-tools.sh" build
[ -z "$python_todo" ] || start python as_caller "$steps/python.sh" install "$level"
await python
await cargo-tools
# Asked again, because an environment that was made anew has lost its copies.
[ -z "$("$steps/cargo-tools.sh" todo)" ] || as_caller "$steps/cargo-tools.sh" install
for list in "${more_todo[@]}"; do step "cargo-tools-$list" as_caller "$steps/cargo-tools.sh" install "$list"; done
await debian
say "ready"
[ -z "$python_todo" ] || say "$(.venv/bin/fuselab completion)"
