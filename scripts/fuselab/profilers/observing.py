"""What looking took from the target, and whether all of it was seen: the figures of a capture's own run.

Both are said of all captures of a profile together, with the worst one's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder


FREE_CORE_SHARE = 0.05
"""Of one core: what a profiler's own processes may use of the measured window, whatever they write."""
NEEDED_S_PER_BYTE = 5e-9
"""What copying samples from the kernel into a file may cost. perf was measured at 0.3 to 0.8 ns a byte."""
OFF_BY = 1 / 3
"""How far what was sampled may be from the CPU time that the kernel has counted, as a share of that.

A quarter missed says nothing: the clock is set anew whenever the target and somebody else take turns.
"""
_STANDARD_ERRORS = 3
_RECORDED = ("*.data", "*.trace")
"""By perf, and by the kernel's tracing."""


def observed_figures(captures: Sequence[CaptureFolder]) -> dict[str, int]:
    """CPU time of all windows together, in ns: of profilers' own processes, if there are any, and of whom they saw."""
    runs = [capture.run for capture in captures]
    observers = [sum(run.observers_s.values()) for run in runs if run.observers_s]
    targets = [run.target.cpu_s for run in runs if run.target is not None]
    figures = {"observer_cpu_ns": observers, f"{captures[0].looked_at}_cpu_ns": targets} if observers else {}
    return {name: round(sum(seconds) * 1e9) for name, seconds in figures.items() if seconds}


def observer_notes(captures: Sequence[CaptureFolder]) -> tuple[str, ...]:
    """A caveat where looking used more CPU time in a window than what perf wrote of it asks for.

    It holds for every profiler of a shared capture: all of them saw a target that was held up.
    """
    excesses = []
    for capture in captures:
        used_s = sum(capture.run.observers_s.values())
        if not used_s or (window_ns := capture.window_ns()) is None:
            continue
        window_s = max((window_ns[1] - window_ns[0]) / 1e9, 1e-9)
        written = [file for pattern in _RECORDED for file in capture.folder.rglob(pattern)]
        needed_s = NEEDED_S_PER_BYTE * sum(file.stat().st_size for file in written)
        excesses.append(((used_s - needed_s) / window_s, used_s / window_s))
    excess, share = max(excesses, default=(0.0, 0.0))
    if excess <= FREE_CORE_SHARE:
        return ()
    return (
        f"Looking took {share:.0%} of a core while the load ran, and what was written accounts for "
        f"{share - excess:.0%}: the target did not have the rest, so waits and throughput are not those of a run that "
        "is left alone. perf 6.1 does this once a thread of the target has ended, where it cannot look at a control "
        "group: run as root, with /sys/fs/cgroup writable.",
    )


def disagreement_notes(
    captures: Sequence[CaptureFolder], totals_ns: Sequence[int], samples: Sequence[int]
) -> tuple[str, ...]:
    """A caveat where sampled CPU time (`totals_ns`, of so many `samples`, by capture) is not what the target used."""
    worst, said = 0.0, ""
    for capture, total_ns, count in zip(captures, totals_ns, samples, strict=True):
        if capture.run.target is None:  # a bench
            continue
        cpu_s, seen_s = capture.run.target.cpu_s, total_ns / 1e9
        allowed_s = max(OFF_BY * cpu_s, _STANDARD_ERRORS * seen_s / sqrt(max(count, 1)))
        if abs(seen_s - cpu_s) > max(allowed_s, worst):
            worst = abs(seen_s - cpu_s)
            who = capture.looked_at
            said = f"perf saw {seen_s:.2f} s of CPU time, and the {who} used {cpu_s:.2f} s while the load ran"
    if not said:
        return ()
    return (f"{said}: shares are shares of what was seen, and this much is not what happened.",)
