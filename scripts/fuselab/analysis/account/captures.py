"""What an account is made of: one variant and workload, as each kind of profiler saw it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fuselab.analysis.account.in_flight import OfOpcode
from fuselab.analysis.folded import Folded
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.totals import TraceTotals


@dataclass(frozen=True)
class Sampled:
    """Stacks of one kind, and the operations of the load under which they were taken."""

    folded: Folded
    operations: int


@dataclass(frozen=True)
class Polled:
    """Poll time, and the operations of its load: those of the trace if both layers shared the run."""

    frames: Sequence[FlameFrame]
    operations: int


@dataclass(frozen=True)
class FioSide:
    """What fio saw of one direction while the trace was taken."""

    direction: str
    """`read` or `write`: also the name of the outermost span that serves it."""
    operations: int
    latency_ns: float
    """Mean, submission to completion."""


@dataclass(frozen=True)
class Captures:
    """Everything that the account is made of; what was not captured is None."""

    trace: TraceTotals
    operations: int
    """Of the load of the trace."""
    polled: Polled | None = None
    on_cpu: Sampled | None = None
    blocked: Sampled | None = None
    idle: Sampled | None = None
    """Threads that waited for something to do. Within a span, that is what blocked it."""
    preempted: Sampled | None = None
    fio: Sequence[FioSide] = ()
    requests: Sequence[OfOpcode] = ()
    """Of the trace's own run, if they were looked at in it."""
    functions: Collection[str] = ()
    """Names of functions in the binary, where known beyond those in the stacks."""

    argument_hints: Sequence[str] = ()
    """What to leave out of the trace, in words."""

    @property
    def shared_run(self) -> bool:
        """Whether trace and poll time are of one run, which needs no count of operations."""
        return self.polled is not None and self.polled.operations == self.operations
