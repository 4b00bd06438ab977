"""One way to look: what a profiler is, and how it behaves unless it says otherwise.

A profiler is one module with a subclass of `Profiler`, and one entry: in `fuselab.profilers`, or in the entry point
group of that name. It must have the names and `read`; all else has a default. Nothing outside its module may ask for a
profiler by name: what differs between profilers is an attribute here.

The rig and `fuselab check` import these modules: what is heavy (pyarrow, duckdb) is imported inside the methods.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fuselab.programs import Program
from fuselab.system import tracefs
from fuselab.targets.model import Installed, NoBuild, ProfilerSupport, Target
from fuselab.workloads.base import Looked

if TYPE_CHECKING:
    import pyarrow as pa

    from fuselab.analysis.folded import Stacks
    from fuselab.profilers.capture import CaptureFolder
    from fuselab.records.profile import Scale

Level = Literal["ok", "limited", "unavailable"]
EVERYTHING: frozenset[Looked] = frozenset({"mount", "program", "command"})
"""Looked at by who needs nothing of a program."""
Figures = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Capability:
    """What a profiler can do for a target, always with the reason where it is not `ok`."""

    level: Level
    reason: str = ""


@dataclass(frozen=True)
class CaptureContext:
    """What a profiler may know when it attaches: the target is mounted, or a bench or a command not started yet."""

    folder: Path
    """Where its files belong."""
    pids: tuple[int, ...]
    """Of all processes of the target that live."""
    group: str | None
    """The control group that holds them, and whoever comes; None where there is none."""
    binary: Path
    support: ProfilerSupport
    devices: tuple[int, ...] = ()
    """Device numbers of the run's mounts, as in st_dev."""
    proc: int = -1
    """Descriptor of the machine's /proc: the run's own numbers processes by itself."""
    outlives_load: bool = True
    """Whether what is looked at is still there behind the load: a bench or a command is not."""


class Window:
    """The measured part. This one is of a profiler that records for as long as the target lives."""

    def open(self) -> None:
        """Called right before the load."""

    def close(self) -> None:
        """Called right after it."""

    def cpu_s(self) -> float | None:
        """CPU time that the profiler's own processes have used until now; None if it has none."""
        return None


@dataclass(frozen=True)
class Obstacle:
    """Why nobody can look so on this machine."""

    reason: str
    mend: str


@dataclass(frozen=True)
class KernelEvent:
    """What the kernel must tell of, in the words of `fuselab doctor`."""

    name: str
    can: str
    cannot: str
    mend: str
    since: str = ""
    """The kernel that has it, where older ones have not: `Linux 6.12`."""

    def obstacle(self) -> Obstacle | None:
        """Asked without starting anything; None where only trying can tell."""
        group = ":" in self.name
        if group and (has := tracefs.has(self.name)) is None:
            where = f"if {tracefs.FOLDER} is empty: mount -t tracefs none {tracefs.FOLDER} (a container: --privileged)"
            return Obstacle(
                f"{tracefs.FOLDER}, which names {self.name}, may not be read", f"{self.mend}; {where}"
            )
        if group and not has:
            since = f": {self.since} and newer do, and this is {os.uname().release}" if self.since else ""
            return Obstacle(
                f"the kernel does not tell of {self.name}{since}", "look at it under another kernel"
            )
        return None


class PerfEvent(KernelEvent):
    """Perf must be permitted to record it."""


class TracedEvent(KernelEvent):
    """An instance of the kernel's tracing must be there for it."""


@dataclass(frozen=True)
class Sight:
    """How a profiler shows each kind of time of a mounted target: `yes`, `in poll time`."""

    on_cpu: str = "no"
    blocked: str = "no"
    awaiting: str = "no"
    fuse: str = "no"
    """In FUSE's queue and the kernel."""


@dataclass(frozen=True)
class AccountParts:
    """What a profiler gives to the account of where the time is: files in its processed folder; "" for nothing."""

    spans: str = ""
    """A table of spans."""
    polled: str = ""
    """A table of frames with their poll time."""
    on_cpu: str = ""
    """Folded stacks, as all that follow."""
    blocked: str = ""
    idle: str = ""
    preempted: str = ""
    in_flight: str = ""
    """A table of requests by opcode: there where it was also recorded what threads did meanwhile."""


@dataclass(frozen=True)
class SpentBy:
    """A profiler's table as time that operations of the load spend: `column` says in what, `ns` how much in all."""

    column: str
    ns: str
    words: str
    """`0.9 ms more` so: `in flight`."""
    file: str = ""
    """A table with the same `column` that tells apart what was done meanwhile, where that was seen."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Columns of that -> words: `0.8 ms of it blocked in WRITE`."""


@dataclass(frozen=True)
class GivenTable:
    """A table for SQL: a Parquet file in every processed folder of its profiler."""

    name: str
    about: str
    columns: Mapping[str, str]
    """Name -> type of DuckDB; `variant` and `workload` come before them."""
    file: str


@dataclass(frozen=True)
class SideBySide:
    """Rows of table.parquet that count something: what stands in the report for all variants side by side."""

    row: str
    """The column that names them."""
    count: str
    """The column that is divided by the operations of the load."""
    noun: str
    """What it counts: `requests`."""
    also: Mapping[str, str] = field(default_factory=dict)
    """Other columns that compare as they are -> what they are."""


@dataclass(frozen=True)
class Timeline:
    """A figure of all variants over the time of a capture: a table with `time_s`, and `capture` if there are many."""

    file: str
    column: str
    title: str
    unit: str
    since: str
    """What happened at 0 s."""
    caption: str


@dataclass(frozen=True)
class Curves:
    """Figures of all variants by percentile: a table with `name`, `capture`, `percentile` and `latency_ns`, and one
    figure for each of the names that come first."""

    file: str
    noun: str
    """What takes this long: `{name} in flight`."""


def columns_of(row: type[Any]) -> dict[str, str]:
    """Columns of a table whose rows are of the dataclass `row`."""
    types = {"int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}
    return {field.name: types.get(str(field.type).split()[0], "VARCHAR") for field in fields(row)}


@dataclass(frozen=True)
class Reading:
    """What one capture says."""

    stacks: Stacks
    sources: Sequence[Path]
    """The raw files it was read from."""
    figures: Figures = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Caveats: a reading with any is *limited*."""
    remarks: tuple[str, ...] = ()
    """What a reader should know that takes nothing from the picture."""
    sample_value: float = 0.0
    """What one sample stands for, in the profiler's unit; 0 where everything is counted."""
    nothing: str = ""
    """What it means that no capture has a stack; "" where that cannot be true, and is refused."""
    detail: Any = None
    """Whatever the profiler's own `add` wants to see of it again."""


@dataclass(frozen=True)
class Addition:
    """What a profiler adds to the common files. Titles -> file names in the processed folder."""

    pictures: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    """File name of a picture -> its unit, where that is not the profiler's."""
    tables: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Caveats that hold for all captures together."""
    findings: tuple[str, ...] = ()
    """What it saw, in sentences."""
    table: pa.Table | None = None
    """Replaces the table of functions as table.parquet."""


class Profiler(ABC):
    """One way to look. A subclass has at least the five words and `read`."""

    name: str
    """As it stands in experiments and paths."""
    title: str
    unit: str
    """Of its folded stacks: `ns on CPU`, `bytes`."""
    sees: str
    """Half a sentence for the report: what it shows."""
    blind_to: str
    """And what it cannot show."""

    looks_at: frozenset[Looked] = frozenset({"mount", "program"})
    bench_argv: tuple[str, ...] = ()
    """What a Criterion bench is told beyond its own words, so that there is something to see."""
    from_outside: bool = False
    """Whether it looks at any native program; else target.yaml must describe what the program does for it."""
    written_by_target: bool = False
    """Whether the target itself writes its files, and completes them only when it ends in order."""
    compared: Scale = "per operation"
    """What of two sides is held against each other."""
    programs: tuple[Program, ...] = ()
    """What it calls beyond what all profilers do (`fuselab doctor` lists them)."""
    kernel_event: KernelEvent | None = None
    """What it has recorded."""
    shows: Sight | None = None
    spent: SpentBy | None = None
    """What its table says operations spend their time in, if anything: for the sentence beside a verdict."""
    account: AccountParts = AccountParts()
    tables: tuple[GivenTable, ...] = ()
    side_by_side: SideBySide | None = None
    over_time: tuple[Timeline, ...] = ()
    curves: tuple[Curves, ...] = ()

    def __init__(self) -> None:
        for word in ("name", "title", "unit", "sees", "blind_to"):
            if not isinstance(getattr(self, word, None), str):
                raise TypeError(f"{type(self).__name__} has no `{word}`")

    def capability(self, target: Target) -> Capability:
        """What it can do for `target`, judged from target.yaml before anything is built."""
        support = target.profilers.get(self.name)
        if support is not None and support.unavailable is not None:
            return Capability("unavailable", support.unavailable)
        if not self.from_outside:
            why = f"target.yaml of {target.name} does not describe it"
            return Capability("ok") if support else Capability("unavailable", why)
        if isinstance(target.build, NoBuild):
            return Capability("unavailable", f"{target.name} has no program to look at")
        if isinstance(target.build, Installed):
            return Capability(
                "limited",
                "an installed program: distribution packages are built without frame pointers, stacks may be broken",
            )
        return Capability("ok")

    def capability_of_command(self, program: str) -> Capability:
        """What it can do for a load that gives its command to look at: `program`, as on a command line."""
        if "command" in self.looks_at:
            return Capability("ok")
        if self.from_outside:
            return Capability("unavailable", "it looks at mounts, not at the command of a load")
        return Capability("unavailable", "it reads what a program records of itself, and a command does not")

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        """Variables beyond the target's own, as templates with `{capture}`; part of the mount config."""
        return {}

    def equip(self, folder: Path) -> None:  # noqa: B027  most need nothing
        """Called before the target starts: puts into `{capture}` what its environment names there, if anything."""

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        """Entered when the mount is ready, left after the load and before the unmount."""
        return nullcontext(Window())

    @abstractmethod
    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        """What one capture says; may leave files of its own in `out`.

        Those that it names by `CaptureFolder.numbered` are there for each capture, and the first one's under its plain
        name too: what the account and SQL read.
        Raises ProfileError for a capture that says nothing: there is no picture then, and the profile says why.
        """

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        """What stands in `out` beside the common files. Called once, after the last reading; raises as `read` does."""
        return Addition()
