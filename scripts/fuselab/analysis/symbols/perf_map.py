"""Names of code that lies in no file: /tmp/perf-PID.map, which runtimes that compile while they run write for perf.

One line a function: start and size in hexadecimal, then the name, which may hold spaces. Format:
tools/perf/Documentation/jit-interface.txt in the kernel's sources.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^(?:0x)?([0-9a-f]+) (?:0x)?([0-9a-f]+) (.+)$", re.M | re.I)
_MODULE = re.compile(r"^/tmp/perf-\d+\.map$")
_NO_FILE = re.compile(r"^(?://anon|/dev/zero|/anon_hugepage|\[stack|\[heap\]|/SYSV)")


def module_of(pid: int) -> str:
    """The module that perf says such code is in, as `perf script` prints it: addresses in it are absolute."""
    return f"/tmp/perf-{pid}.map"


def is_perf_map(module: str) -> bool:
    return _MODULE.match(module) is not None


def has_no_file(module: str) -> bool:
    """Whether code that is mapped under this name is looked for in a map (perf decides alike, in util/map.c)."""
    return _NO_FILE.match(module) is not None


@dataclass(frozen=True)
class PerfMap:
    """The functions of one process. Where two overlap, the later line holds: its memory was used again."""

    functions: tuple[tuple[int, int, str], ...]
    """(start, end, name), by start."""

    def at(self, address: int) -> tuple[str, ...]:
        """The name of the function at an absolute address; empty where there is none."""
        index = bisect_right(self.functions, address, key=lambda function: function[0]) - 1
        if index < 0 or address >= self.functions[index][1]:
            return ()
        return (self.functions[index][2],)


def read_perf_map(path: Path) -> PerfMap:
    """Lines of another form are passed over: the program may have been writing one when the file was copied."""
    text = path.read_text(errors="replace")
    by_start = {
        int(m[1], 16): (int(m[1], 16), int(m[1], 16) + int(m[2], 16), m[3]) for m in _LINE.finditer(text)
    }
    return PerfMap(tuple(sorted(by_start.values())))
