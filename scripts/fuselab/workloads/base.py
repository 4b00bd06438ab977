"""The contract between fuselab and one kind of load: fio on the mount, a Criterion bench, a command.

Each kind is one module and one entry in `fuselab.workloads.REGISTRY`. Nothing outside may ask for a kind by
name. The rig reads this package: no heavy imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from fuselab.records.request import Load
from fuselab.targets.model import mountpoint_name

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class LoadContext:
    """Where a load runs. `directory` is the mount point (the first of them; all in `directories`)."""

    directory: Path
    directories: tuple[Path, ...]
    out: Path
    """The run folder: the load's own files go here."""
    scratch: Path
    """A folder on disk, outside the mount, that is gone after the run."""
    repository: Path
    binary: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """What the profilers of this run add to the environment of a load that is itself profiled (a bench)."""
    ramp: bool = True
    """Whether the load warms up before its figures count. Not under a profiler, which sees the ramp too: what it saw
    is divided by what the load did."""

    @property
    def values(self) -> Mapping[str, str]:
        """Of the placeholders `{mountpoint}`, `{mountpoint2}` and so on."""
        return {mountpoint_name(number): str(path) for number, path in enumerate(self.directories, 1)}


@dataclass(frozen=True)
class LoadResult:
    """`exit_code` 0 and `reason` None: the load did all it was asked to."""

    exit_code: int
    reason: str | None = None
    wrong_data: bool = False
    """Whether what was read back is not what was written: the one failure that is never an accident."""


@dataclass(frozen=True)
class Metric:
    """One number of one run. `tail_ios` is how many I/Os lie beyond a percentile; None for other metrics.

    `slope` is ln(throughput in the second half of the measured time / in the first), where that is known.
    """

    name: str
    unit: str
    better: Better
    value: float
    tail_ios: int | None = None
    slope: float | None = None


@dataclass(frozen=True)
class Traffic:
    """What the load did, to divide a profile by: `operations` I/Os, `bytes` moved, by direction where known."""

    operations: int
    bytes: int
    by_direction: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`read` / `write` -> (operations, bytes)."""
    latency_ns: Mapping[str, float] = field(default_factory=dict)
    """`read` / `write` -> mean completion latency as the load saw it."""


class Kind(Protocol):
    name: str
    needs_mount: bool
    programs: tuple[str, ...]
    """What must be installed; looked for before anything is started."""

    def closed_loop(self, settings: Mapping[str, object]) -> bool:
        """Whether the next I/O waits for the one before: then latency tails hide queueing (docs/method.md, gates)."""
        ...

    def asked(self, settings: Mapping[str, object]) -> Mapping[str, float]:
        """Metric -> the value at which the load was told to keep it: a variant below it did not keep up."""
        ...

    def metric_names(self, settings: Mapping[str, object]) -> Sequence[str]:
        """Names that `metrics` will yield, as far as the settings tell, the most telling first."""
        ...

    def render(self, settings: Mapping[str, object]) -> str | None:
        """The job file, or None where the kind has none. Deterministic: it is part of the spec."""
        ...

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        """Run the load to its end, in the foreground, within `load.timeout_s`."""
        ...

    def verify(self, context: LoadContext, written: bool) -> LoadResult | None:
        """Write data with checksums (`written` False), or read it back after a remount (True); None: no check."""
        ...

    def metrics(self, run: Path) -> Sequence[Metric]:
        """The load's own metrics, from the files it left in the run folder."""
        ...

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        """Metrics that count the time until the unmount had drained."""
        ...

    def traffic(self, run: Path) -> Traffic: ...
