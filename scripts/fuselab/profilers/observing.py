"""What looking took from the target, and whether all of it was seen: the figures of a capture's own run.

Both are said of all captures of a profile together, with the worst one's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from fuselab.profilers.base import CaptureFolder

FREE_CORE_SHARE = 0.05
"""Of one core: what a profiler's own processes may use of the measured window, whatever they write."""
NEEDED_S_PER_BYTE = 5e-9
"""What copying samples from the kernel into a file may cost. perf was measured at 0.3 to 0.8 ns a byte."""
OFF_BY = 0.15
"""How far what was sampled may be from the CPU time that the kernel has counted, as a share of that."""
_STANDARD_ERRORS = 3


def observed_figures(profiler: str, captures: Sequence[CaptureFolder]) -> dict[str, int]:
    """CPU time of all windows together, in ns: of `profiler`'s own processes, if it has any, and of the target."""
    used_s = [capture.observer_s(profiler) for capture in captures]
    target_s = [capture.target_cpu_s() for capture in captures]
    figures = {"observer_cpu_ns": used_s, "target_cpu_ns": target_s if any(used_s) else []}
    known = {name: [each for each in seconds if each is not None] for name, seconds in figures.items()}
    return {name: round(sum(seconds) * 1e9) for name, seconds in known.items() if seconds}


def observer_notes(
    profiler: str, captures: Sequence[CaptureFolder], sources: Sequence[Sequence[Path]]
) -> tuple[str, ...]:
    """A caveat where `profiler` used more CPU time in a window than what it wrote (`sources`, by capture) asks for."""
    excesses = []
    for capture, paths in zip(captures, sources, strict=True):
        used_s = capture.observer_s(profiler)
        if used_s is None or (window_ns := capture.window_ns()) is None:
            continue
        window_s = max((window_ns[1] - window_ns[0]) / 1e9, 1e-9)
        needed_s = NEEDED_S_PER_BYTE * sum(path.stat().st_size for path in paths)
        excesses.append(((used_s - needed_s) / window_s, used_s / window_s))
    excess, share = max(excesses, default=(0.0, 0.0))
    if excess <= FREE_CORE_SHARE:
        return ()
    return (
        f"The profiler itself used {share:.0%} of a core while the load ran, and its samples account for "
        f"{share - excess:.0%}: it took that from the target, so waits and throughput are not those of a run that is "
        "left alone. perf 6.1 does this once a thread of the target has ended, where it cannot look at a control "
        "group: run as root, with /sys/fs/cgroup writable.",
    )


def disagreement_notes(
    captures: Sequence[CaptureFolder], totals_ns: Sequence[int], samples: Sequence[int]
) -> tuple[str, ...]:
    """A caveat where sampled CPU time (`totals_ns`, of so many `samples`, by capture) is not what the target used."""
    worst, said = 0.0, ""
    for capture, total_ns, count in zip(captures, totals_ns, samples, strict=True):
        cpu_s, seen_s = capture.target_cpu_s(), total_ns / 1e9
        if cpu_s is None:
            continue
        allowed_s = max(OFF_BY * cpu_s, _STANDARD_ERRORS * seen_s / sqrt(max(count, 1)))
        if abs(seen_s - cpu_s) > max(allowed_s, worst):
            worst = abs(seen_s - cpu_s)
            said = (
                f"perf saw {seen_s:.2f} s of CPU time, and the target used {cpu_s:.2f} s while the load ran"
            )
    if not said:
        return ()
    return (f"{said}: shares are shares of what was seen, and this much is not what happened.",)
