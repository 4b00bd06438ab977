"""What one operation of a load that counts and times its own is made of: an iteration of a bench.

From outside alone: its wall time is the load's own, its CPU and blocked time are those of the whole process, shared
among its operations. A thread that is parked until its future is ready awaits; it is not blocked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuselab.analysis.account.captures import Sampled
from fuselab.analysis.account.duration import duration

_PARKED = re.compile(r"^(?:tokio::runtime::park::|tokio::runtime::scheduler::current_thread::Context::park)")
"""What a thread is in that waits for its future, and not in what the future calls."""


@dataclass(frozen=True)
class Operation:
    """`name` is what one is called, `wall_ns` its mean wall time while the trace was written."""

    name: str
    wall_ns: float


def sentence(operation: Operation, on_cpu: Sampled | None, blocked: Sampled | None) -> str:
    """Its wall time, and as much of what it was as has been captured."""
    parts = []
    if on_cpu is not None and on_cpu.operations:
        parts.append(f"{duration(round(on_cpu.folded.total / on_cpu.operations))} on CPU")
    if blocked is not None and blocked.operations:
        parked = sum(
            value for stack, value in blocked.folded.stacks.items() if any(map(_PARKED.match, stack))
        )
        others = blocked.folded.total - parked
        parts.append(f"{duration(round(others / blocked.operations))} blocked")
        parts.append(f"{duration(round(parked / blocked.operations))} awaiting")
    split = f"; of each, all threads together, {', '.join(parts)}" if parts else ""
    return f"{operation.name} took {duration(round(operation.wall_ns))}{split}."
