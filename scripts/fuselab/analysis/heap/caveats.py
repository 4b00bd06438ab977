"""What is said of heap dumps that tell nothing, or not all."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fuselab.analysis.heap.processes import HeapProcess
from fuselab.errors import ProfileError

SAMPLE_MORE = (
    "A smaller lg_prof_sample samples more often: write it into MALLOC_CONF (_RJEM_MALLOC_CONF for tikv-jemallocator) "
    "in `env` of jemalloc-heap in target.yaml, with LD_PRELOAD: libjemalloc.so.2 beside it where jemalloc is preloaded."
)
_NO_PROFILING = re.compile(r"<jemalloc>: Invalid conf pair: (prof\S*)")
_AT_PEAKS = frozenset({"manual", "high-water"})
"""Kinds of dumps that are written when more is live than before."""


def of_others(pid: int | None, found: Sequence[HeapProcess]) -> ProfileError:
    pids = sorted({process.pid for process in found})
    return ProfileError(
        f"no heap dump of the process that serves the mount ({pid}), only of {pids}.",
        "Let the target stay in the foreground (`-f` for most) and exit through main.",
    )


def no_dumps(log: str) -> ProfileError:
    if match := _NO_PROFILING.search(log):
        return ProfileError(
            f"jemalloc refused {match[1]}: this build's jemalloc has no profiling compiled in.",
            "Name the feature that compiles it in (jemalloc-profiling) in `features` of jemalloc-heap in target.yaml; "
            "or leave jemalloc-heap out of target.yaml: then Debian's libjemalloc is preloaded.",
        )
    return ProfileError(
        "no heap dumps: either the target's allocator is not jemalloc with profiling, it did not see the "
        "setting, or "
        "it was killed before its final dump.",
        "In target.yaml jemalloc-heap needs `features` with jemalloc-profiling and `env` with _RJEM_MALLOC_CONF for "
        "tikv-jemallocator (MALLOC_CONF for other builds): prof:true,prof_final:true. Let the target leave through "
        "main.",
    )


def looked_at_while_running(ours: Sequence[HeapProcess]) -> list[HeapProcess]:
    """Those that were looked at while they ran. Raises ProfileError where none was, or where that says nothing."""
    while_running = [process for process in ours if not process.only_exit]
    if not while_running:
        raise ProfileError(
            "only the dump at the exit, and by then most is freed: it says nothing of the most that was live.",
            "fuselab has jemalloc 5.3 write a dump at each new peak from 64 KiB on. It does not reach an older one, "
            "one inside a program that is stripped or linked statically, and a program that throws LD_PRELOAD away; "
            "there lg_prof_interval:20 dumps once for every MiB allocated.",
        )
    first = while_running[0]
    if not first.ended and not _at_peaks(first):
        raise ProfileError(
            f"{len(first.dumps)} heap dumps, but not the one at exit: jemalloc writes it from atexit, so the "
            "target was killed or left through _exit.",
            "Let the target leave through main on the stop signal, within the `timeout` of `stop`; prof_final must "
            "be true.",
        )
    return while_running


def _at_peaks(process: HeapProcess) -> bool:
    return any(dump.name.kind in _AT_PEAKS for dump in process.dumps)


def caveats(looked_at: Sequence[HeapProcess], pid: int | None, broken: Sequence[str]) -> tuple[str, ...]:
    """What takes something from the picture. Without pids: captures of one variant say the same in the same words."""
    said: list[str] = []
    several = len(looked_at)
    if pid is not None and looked_at[0].pid != pid:
        said.append(
            "No dump of the process that serves the mount while it ran: only what others of the target held is here."
        )
    if killed := sum(not process.ended for process in looked_at):
        said.append(
            f"No dump at the exit of {_of(killed, several)}: killed, or left through _exit. "
            + (
                "The peak is known, what was live at the end is not"
                if several == 1
                else "What they held last is counted until the end: the peak is no more than this, and may be less"
            )
            + ": let the target leave through main on the stop signal."
        )
    if blind := sum(not _at_peaks(process) for process in looked_at):
        said.append(
            f"No dump at a new peak of {_of(blind, several)}, only for every so many bytes allocated: a peak between "
            "two of them is missed."
        )
    if broken:
        said.append(
            f"{len(broken)} dumps cannot be read, the first because {broken[0]} A peak may be missed: look for a full "
            "disk or a killed target in this capture."
        )
    return tuple(said)


def of_several(processes: Sequence[HeapProcess]) -> tuple[str, ...]:
    """Whose memory was added up; nothing of a single process."""
    if len(processes) == 1:
        return ()
    forks = sum(process.forked_from is not None for process in processes)
    once = (
        f" What {forks} of them had from the process that forked them is counted once, there."
        if forks
        else ""
    )
    return (f"{len(processes)} processes of the target held memory: added up.{once}",)


def _of(some: int, several: int) -> str:
    return "the target" if several == 1 else f"{some} of the target's {several} processes"
