"""What perf's complaints mean, and what is wrong with a perf.data that it left."""

from __future__ import annotations

import re
from pathlib import Path

from fuselab.errors import ProfileError

NOT_THE_KERNEL = "what the kernel did for it may not be sampled"
PERMIT_KERNEL = "sudo sysctl kernel.perf_event_paranoid=1"
"""What lets a user without root sample the kernel's part of a program too."""
_COMPLAINTS: tuple[tuple[str, str, str], ...] = (
    (
        r"perf_event_paranoid|No permission|Permission denied|Operation not permitted",
        "the kernel does not let this user sample other processes",
        "Run as root, or lower kernel.perf_event_paranoid: sysctl kernel.perf_event_paranoid=1 (-1 for "
        "off-CPU).",
    ),
    (
        r"tracefs|debugfs|unknown tracepoint|can't access trace events|invalid or unsupported event",
        "the scheduler's tracepoint sched:sched_switch cannot be used",
        "Mount tracefs (mount -t tracefs none /sys/kernel/tracing) and run as root.",
    ),
    (
        r"No such process|Couldn't create thread/CPU maps",
        "the target was gone before perf attached",
        "Look at the target's log: it ended before the load began.",
    ),
    (
        r"data size field is 0|was not properly (?:closed|terminated)|incompatible file format|magic",
        "perf.data is cut short: perf did not end in order",
        "Nothing may kill perf before it has written its file; look for a killed run or a full disk.",
    ),
    (
        r"No space left on device",
        "the disk was full while perf was writing",
        "Free space where results are kept, or put results/ on a larger disk.",
    ),
    (
        r"perf_mmap_limit|mlock|failed to mmap",
        "perf was not given its ring buffer",
        "Raise kernel.perf_event_mlock_kb, or run as root.",
    ),
)


def explain(stderr: str) -> ProfileError:
    """What perf's own words mean, and what to change; its last line where none is known."""
    for pattern, reason, fix in _COMPLAINTS:
        if re.search(pattern, stderr, re.I):
            return ProfileError(f"perf: {reason}.", fix)
    last = next((line.strip() for line in reversed(stderr.splitlines()) if line.strip()), "no message")
    return ProfileError(
        f"perf failed: {last}",
        "perf's log beside the capture says what it did while it recorded; `perf script` shows the rest.",
    )


def require_file(data: Path) -> None:
    """Raises ProfileError where a perf.data is missing or empty."""
    if not data.is_file():
        raise ProfileError(
            f"perf left no {data.name}: it never started or was killed.",
            "Look at perf's log beside the capture.",
        )
    if data.stat().st_size == 0:
        raise ProfileError(
            f"{data.name} is empty: perf was killed before it wrote.",
            "Look for a killed run, a full disk, or what perf's log beside the capture says.",
        )
