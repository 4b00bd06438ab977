"""The contract between fuselab and one kind of load: fio on the mount, a Criterion bench, a command.

Each kind is one sub-package and one entry in `fuselab.workloads.REGISTRY`. Nothing outside may ask for a kind by
name, or look into the settings of a load: what differs between kinds is an attribute or a method here. The rig reads
this package: no heavy imports.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from fuselab.targets.model import SCRATCH, Target, mountpoint_name
from fuselab.workloads.metric import Metric, Quantity

if TYPE_CHECKING:  # the rig reads and builds nothing
    from fuselab.building.request import BuildRequest
    from fuselab.records.request import Load
    from fuselab.records.slices import Turns
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key
    from fuselab.system.process import Process

Looked = Literal["mount", "program", "command"]
"""What a load gives to look at: the filesystem that serves it, a program of its own in place of a mount (a bench), or
beside one (a command)."""
Settings = Mapping[str, Any]
"""What a load says below the key of its kind, as its kind has read it: plain data, for specs and records too."""
PlaceOf = Callable[..., "Key"]
"""Where an option of a variant's own is written; without an option, where all of them are."""


class LookedAt(Protocol):
    """The processes that the profilers of a run look at."""

    def starting(self) -> AbstractContextManager[None]:
        """What is started in this block is one of them."""

    def add(self, *pids: int) -> None:
        """These are."""


class TakesTurns(LookedAt, Protocol):
    """The processes of a load that is stopped and continued from outside."""

    def wait(self, process: Process, timeout_s: float) -> bool:
        """As that of `process`; the time in which others have their turn does not count."""


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
    """The target's program, or what the load has built in its place."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What the profilers of this run add to the environment of a load that is itself profiled (a bench)."""
    ramp: bool = True
    """Whether the load warms up before its figures count. Not under a profiler, which sees the ramp too: what it saw
    is divided by what the load did."""
    begin: Callable[[], None] = field(default=lambda: None, repr=False)
    """What the rig does as the work begins: from here on it is looked at and counted. Whoever does work calls it once,
    when it has nothing of its own left to prepare (`WorkloadKind.begins`)."""
    looked_at: LookedAt | None = None
    """Of a load that is itself profiled: its program belongs there, and what only runs it does not."""
    argv: Sequence[str] = ()
    """What the profilers of this run add to the command line of a bench."""
    turns: TakesTurns | None = None
    """Of a load that takes turns with others: it is stopped and continued from outside, goes on for as long as it is
    let, and ends well by SIGINT."""

    @property
    def values(self) -> Mapping[str, str]:
        """Of the placeholders `{mountpoint}`, `{mountpoint2}` and so on, and `{scratch}`."""
        mounts = {mountpoint_name(number): str(path) for number, path in enumerate(self.directories, 1)}
        return {**mounts, SCRATCH: str(self.scratch)}


@dataclass(frozen=True)
class LoadResult:
    """`exit_code` 0 and `reason` None: the load did all it was asked to."""

    exit_code: int
    reason: str | None = None
    wrong_data: bool = False
    """Whether what was read back is not what was written: the one failure that is never an accident."""


@dataclass(frozen=True)
class Traffic:
    """What the load did, to divide a profile by: `operations` I/Os, `bytes` moved, by direction where known."""

    operations: int
    bytes: int
    by_direction: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`read` / `write` -> (operations, bytes)."""
    latency_ns: Mapping[str, float] = field(default_factory=dict)
    """`read` / `write` -> mean completion latency as the load saw it."""
    one: tuple[str, float] | None = None
    """What one operation is called, and its mean wall time in ns, of a load that does one after the other."""

    @property
    def transfers(self) -> int:
        """Operations that do nothing but move data."""
        return sum(operations for operations, _ in self.by_direction.values())


@dataclass(frozen=True)
class Fixed:
    """A load that does the same work however long that takes, for its work to be counted."""

    settings: Settings
    seconds: float | None
    """How long it may take; None where only a run can tell."""
    words: str = ""
    """How it differs from the load as it is timed, `1,000 I/Os of 4 KiB instead of 3 s`; "" if it does not."""
    work: object = None
    """Equal for two loads that do the same and are called differently; None where `settings` have no names in them."""

    def is_same(self, other: Fixed) -> bool:
        """Whether both do the same work."""
        mine, others = ((each.settings if each.work is None else each.work) for each in (self, other))
        return mine == others


@dataclass(frozen=True)
class CheckContext:
    """What a load is held against before anything runs."""

    targets: Mapping[str, Target]
    mounts: int
    """Of one run."""
    by_variant: Mapping[str, tuple[Target, Settings]]
    """Variant -> its target, and the settings of the load as that variant gets it."""


class WorkloadKind(ABC):
    """One kind of load. It must say how it runs and what its figures are; the rest has a default."""

    name: ClassVar[str]
    """The key below which a load of this kind stands in an experiment."""
    schema: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema of what stands there, with a `description` and `examples` for each key; as if it stood in
    `schema/workload.schema.json`, which is where editors find that of a kind of fuselab's own."""
    quantities: ClassVar[tuple[Quantity, ...]]
    """The metrics it can yield, the most telling first."""
    needs_mount: bool = True
    looks_at: Looked = "mount"
    """What it gives a profiler to look at, unless its settings say otherwise (`looked_at`)."""
    operation: str = "operation"
    """What each of those is called that its `traffic` counts."""
    programs: tuple[str, ...] = ()
    """What must be installed; looked for before anything is started."""
    begins: bool = False
    """Whether `run` itself says, by `context.begin()`, when its work begins: until then it prepares, and nobody looks.
    Of all others the work begins as they are started."""

    # An experiment is read.

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        """The settings of the load `name` from `part`, which stands at `at` and fits the schema."""
        return dict(part)

    def check(self, diagnostics: Diagnostics, at: Key, settings: Settings, context: CheckContext) -> None:
        """Add what cannot be, of a load whose keys stand at `at`."""
        return None

    def step(self, diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> tuple[str, ...]:
        """The command line of a step of `prepare` that is given as `{<kind>: part}`; only for kinds that the schema
        of steps names."""
        raise NotImplementedError(f"{self.name} is no step")

    def overlaid(self, settings: Settings, own: Mapping[str, str]) -> Settings:
        """The load with what a variant changes of it: for kinds whose name is a key of a variant."""
        return settings

    def check_own(
        self, diagnostics: Diagnostics, place_of: PlaceOf, own: Mapping[str, str], loads: Sequence[Settings]
    ) -> None:
        """Add what a variant may not change like this, of any of its loads of this kind."""
        return None

    # It is planned.

    def metric_names(self, settings: Settings) -> Sequence[str]:
        """Names that `metrics` will yield, as far as the settings tell, the most telling first."""
        return [quantity.name for quantity in self.quantities]

    def primary(self, settings: Settings) -> Sequence[str]:
        """What is judged of it where the experiment does not say."""
        return self.metric_names(settings)[:1]

    def yields(self, settings: Settings, metric: str) -> bool:
        return metric in self.metric_names(settings)

    def quantity(self, metric: str) -> Quantity | None:
        return next((quantity for quantity in self.quantities if quantity.name == metric), None)

    def numbers(self, name: str, texts: Sequence[str]) -> Sequence[float | None]:
        """What the values `texts` of its key `name` are as numbers, all in one unit: the order of an axis. None of what
        is no number."""
        from fuselab.schema import units

        return units.amounts(texts)

    def intensity(self, name: str) -> bool:
        """Whether more of the key `name` asks for more at once, or more often, and for nothing else."""
        return False

    def looked_at(self, settings: Settings) -> Looked:
        """What profilers look at under the load."""
        return self.looks_at

    def unobserved(self, settings: Settings) -> Settings:
        """The settings without what only says how profilers look at it: no timed run depends on that."""
        return settings

    def build(self, settings: Settings, program: BuildRequest) -> BuildRequest | None:
        """What is built and run in place of the target's `program`, if anything."""
        return None

    def called(self, settings: Settings) -> Sequence[str]:
        """Programs that the load's own keys name: another machine than this may have them."""
        return ()

    def seconds(self, settings: Settings) -> float | None:
        """How long it runs, as far as the settings tell; None where only a run can."""
        return None

    def closed_loop(self, settings: Settings) -> bool:
        """Whether the next I/O waits for the one before: then latency tails hide queueing."""
        return True

    def fixed_rates(self, settings: Settings) -> Mapping[str, float]:
        """Metric -> the value at which the load was told to keep it: a variant below it did not keep up."""
        return {}

    def fixed(self, settings: Settings, beside: Sequence[Settings] = ()) -> Fixed | None:
        """The load with a fixed amount of work, and little of it; None where there is no such. By default as it is,
        if no time is what ends it.

        `beside`: the loads that its counts are held against, which are bounded alike.
        """
        return Fixed(settings, None) if self.seconds(settings) is None else None

    def uses_mounts(self, settings: Settings) -> bool:
        """Whether it uses as many mounts as there are."""
        return False

    def no_turns(self, settings: Settings) -> tuple[str, str] | None:
        """Why the load cannot be stopped and continued while others run, and what to do; None if it can."""
        return (
            f"a {self.name} load times itself",
            "measure it in an experiment of its own, with `design: blocks`",
        )

    def turn_seconds(self, settings: Settings) -> float | None:
        """How long all turns of the load are together."""
        return self.seconds(settings)

    def turn_metrics(self, settings: Settings) -> Sequence[str]:
        """Of `metric_names`, those that it yields where it takes turns."""
        return []

    def render(self, settings: Settings) -> str | None:
        """The job file, or None where the kind has none. Deterministic: it is part of the spec."""
        return None

    def lays_out(self, settings: Settings) -> bool:
        """Whether it needs files to be there before its work, and makes them itself (`lay_out`)."""
        return False

    # It runs.

    def lay_out(self, load: Load, context: LoadContext) -> LoadResult:
        """Make those files, as the last step of preparing; only of kinds that say they do."""
        raise NotImplementedError(f"{self.name} lays out nothing")

    def work(self, load: Load, context: LoadContext) -> LoadResult:
        """Run the load, which begins at once or says when it does."""
        if not self.begins:
            context.begin()
        return self.run(load, context)

    @abstractmethod
    def run(self, load: Load, context: LoadContext) -> LoadResult:
        """Run the load to its end, in the foreground, within `load.timeout_s` (`running.finish` does that)."""

    # Its files in the folder of a run are read.

    @abstractmethod
    def metrics(self, run: Path) -> Sequence[Metric]:
        """The load's own metrics."""

    def in_turns(self, run: Path, turns: Turns) -> Sequence[Metric]:
        """The load's metrics where it took turns with others: `turns` is what was seen of it in its own slices."""
        return []

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        """Metrics that count the time until all that was written had drained."""
        return []

    def traffic(self, run: Path) -> Traffic:
        return Traffic(operations=0, bytes=0)

    def versions(self, run: Path) -> Mapping[str, str]:
        """Of the programs that made the load; nothing of a run of another kind."""
        return {}

    def percentiles(self, run: Path) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Direction -> (percentile, latency in ns), for the curves in the report, as far out as `TAIL_IOS` lie
        beyond; nothing of a run of another kind."""
        return {}

    def throughput(self, run: Path) -> Sequence[tuple[float, str, float]]:
        """(ms, direction, bytes/s) over the time of the run; nothing of a run of another kind."""
        return []

    # It is put into words.

    def described(self, name: str, settings: Settings) -> Sequence[str]:
        """Sentences of the report's methods about the load `name`."""
        return []

    def mixes_directions(self, settings: Settings) -> bool:
        """Whether reads and writes wait for each other, so that the verdict on either does not stand alone."""
        return False
