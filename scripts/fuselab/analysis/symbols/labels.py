"""Numbers that one run, or one build, gave away: out of names, so that two profiles meet.

What is *counted* is told from what is *meant* by the kind of the name:

- Threads and tasks are instances: `worker-3` of one run is `worker-5` of the next. Counters, pids, ports, addresses,
  hashes and temporary names in them go, wherever they stand.
- Functions are what somebody wrote: `read_u32` is not `read_u64`, `level_1` not `level_2`. Only what a build appends
  goes: the hash of a module (`f.llvm.123`), Go's calling convention (`f.abi0`, which stripped programs do not say), and
  cargo's hash in the name of a file (`bench-0123456789abcdef`).
"""

from __future__ import annotations

import re
from pathlib import Path

UNNAMED = "[thread]"
_THREAD_ID = re.compile(r"^ThreadId\(\d+\)-?")
_NUMBERS = re.compile(
    r"""
    (?<![0-9A-Za-z]) [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}    # a UUID
  | (?: /var | /dev )? / (?: tmp | shm ) / [^/\s]+                  # a temporary folder or file
  | (?<![0-9A-Za-z]) \.? tmp [._-]? (?=\S*[0-9A-Z]) [0-9A-Za-z]{6,} # mktemp's, tempfile's and NamedTemporaryFile's
  | (?<![0-9A-Za-z]) 0x [0-9a-fA-F]+                                # an address
  | (?<![0-9A-Za-z]) (?=[0-9a-f]*\d) (?=[0-9a-f]*[a-f]) [0-9a-f]{6,} (?![0-9A-Za-z])   # a hash
  | (?<![0-9A-Za-z]) \d+ (?: [.:] \d+ )* (?![0-9A-Za-z])            # a counter, a pid, a port, a host
    """,
    re.VERBOSE,
)
_AT_END = re.compile(r"(?<![-_:#/., ])(?:[-_:#/., ]*+(?:\bN\b|(?<=[-_])N|(?<!\d)\d++))++$")
"""Possessive, and begun where a run of separators begins: a long number before a letter is tried once."""
_BY_COMPILER = re.compile(r"\.llvm\.[0-9A-Fa-f]+(?=$|[.@ ])|\.abi(?:0|internal)$")
_BY_CARGO = re.compile(r"-[0-9a-f]{16}(?=$|\.so\b)")
_TEMPORARY = re.compile(r"^(?:/var|/dev)?/(?:tmp|shm)/|^/memfd:")
_COMM = 15
"""Bytes that the kernel keeps of a thread's name: what cargo names by a hash is cut in the middle of it."""
_CUT_HASH = re.compile(r"-(?=[0-9a-f]*\d)[0-9a-f]+$")


def of_instance(name: str) -> str:
    """The name that a thread or task shares with its like: a number at the end goes, one inside becomes N.

    A name that is a number alone stays; one that is nothing else is UNNAMED.
    """
    bare = _THREAD_ID.sub("", name)
    if len(bare.encode(errors="replace")) == _COMM:
        bare = _CUT_HASH.sub("", bare)
    shared = _AT_END.sub("", _NUMBERS.sub("N", bare)).strip()
    return shared or (name if name.isdigit() else UNNAMED)


def thread_frame(comm: str) -> str:
    """The frame that stands for a thread: its name without a run's own numbers, so that pools fold together."""
    return of_instance(comm).replace(";", ",")


def of_function(name: str) -> str:
    """A function's name without what its compiler and linker appended."""
    return _BY_COMPILER.sub("", name)


def of_file(module: str) -> str:
    """What stands for a function without a name: its file in brackets, without cargo's hash.

    What a run unpacks into a temporary folder, or writes there for perf (`perf-PID.map`), has names as instances have.
    """
    path = Path(module.removesuffix(" (deleted)").strip("[]"))
    name = _BY_CARGO.sub("", path.name)
    return f"[{_NUMBERS.sub('N', name) if _TEMPORARY.match(module) else name}]"
