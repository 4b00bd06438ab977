"""The files that processes had mapped while a perf.data was recorded, at every time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.perf.data import COMM, FORK, MMAP2, PerfData, opened
from fuselab.analysis.symbols.kept import read_kept, with_running_vdso
from fuselab.analysis.symbols.maps import NOTHING_MAPPED, AddressSpace, MappedFile
from fuselab.analysis.symbols.perf_map import has_no_file, module_of
from fuselab.analysis.symbols.symbolizer import Symbols

_MISC_COMM_EXEC, _MISC_BUILD_ID = 1 << 13, 1 << 14
_PROT_EXEC = 4
_KERNEL = 0xFFFFFFFF
"""Process id of the kernel's own mappings."""
_KERNEL_ITSELF = "[kernel.kallsyms]"


@dataclass(frozen=True)
class Modules:
    """The files that every process had mapped, at every time."""

    _times: Mapping[int, list[int]] = field(default_factory=dict)
    """CLOCK_MONOTONIC of every change, by process id; 0 for what was there before the recording began."""
    _spaces: Mapping[int, list[AddressSpace]] = field(default_factory=dict)

    def at(self, pid: int, time_ns: int) -> AddressSpace:
        """What a process had mapped at a time; nothing for one that the recording says nothing of."""
        index = bisect_right(self._times.get(pid, ()), time_ns) - 1
        return self._spaces[pid][index] if index >= 0 else NOTHING_MAPPED

    def files(self, pids: Iterable[int] | None = None) -> frozenset[str]:
        """Paths of all that some processes (by default, all) ever had mapped."""
        chosen = self._spaces if pids is None else pids
        spaces = (space for pid in chosen for space in self._spaces.get(pid, ()))
        return frozenset(mapping.module for space in spaces for mapping in space.mappings)


def read_modules(data: Path) -> Modules:
    """Every executable mapping of a file; nothing where it is no perf.data."""
    with opened(data) as file:
        return _modules(file, {})


def modules_of(data: Path, symbols: Symbols) -> Modules:
    """The same with what the capture kept beside the recording; `symbols` learns of that.

    The vdso of a recording that has none beside it is that of this machine, if it still runs the same kernel.
    """
    with opened(data) as file:
        kept = with_running_vdso(read_kept(data.parent), _kernel(file), symbols.cache_folder)
        symbols.kept.update(kept.files)
        return _modules(file, kept.build_ids)


def _modules(file: PerfData, build_ids: Mapping[str, str]) -> Modules:
    """`build_ids` are, by path, those of files whose build id the kernel did not write into its record."""
    times: dict[int, list[int]] = defaultdict(list)
    spaces: dict[int, list[AddressSpace]] = defaultdict(list)
    for time_ns, kind, misc, at, size in file.timed(COMM, FORK, MMAP2):
        pid, other = struct.unpack_from("<II", file.content, at + 8)
        before = after = spaces[pid][-1] if spaces[pid] else NOTHING_MAPPED
        if kind == MMAP2:
            if pid != _KERNEL and file.word(at + 64) & _PROT_EXEC:
                after = before.with_mapping(_mapping(file, misc, at, size, build_ids))
        elif kind == FORK:
            # perf itself writes forks of time 0 for threads and processes that are there already.
            after = spaces[other][-1] if time_ns and other != pid and spaces[other] else before
        elif misc & _MISC_COMM_EXEC:
            after = NOTHING_MAPPED
        if after is not before:
            times[pid].append(time_ns)
            spaces[pid].append(after)
    return Modules(dict(times), dict(spaces))


def _kernel(file: PerfData) -> str:
    """Build id of the kernel, which perf writes before all else; "" where it is not known."""
    for kind, misc, at, size in file.records():
        if kind == MMAP2 and struct.unpack_from("<I", file.content, at + 8)[0] == _KERNEL:
            mapping = _mapping(file, misc, at, size, {})
            if mapping.build_id and mapping.module.startswith(_KERNEL_ITSELF):
                return mapping.build_id
    return ""


def _mapping(file: PerfData, misc: int, at: int, size: int, build_ids: Mapping[str, str]) -> MappedFile:
    """What a MMAP2 record says."""
    content = file.content
    pid, _, start, length, offset = struct.unpack_from("<IIQQQ", content, at + 8)
    module = content[at + 72 : at + size].split(b"\0", 1)[0].decode(errors="replace")
    if has_no_file(module):
        module, offset = module_of(pid), start
    written = content[at + 44 : at + 44 + content[at + 40]].hex() if misc & _MISC_BUILD_ID else ""
    return MappedFile(start, start + length, offset, module, written or build_ids.get(module, ""))
