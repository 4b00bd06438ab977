"""What a run is asked to do: everything resolved, as plain data that goes to the rig as JSON.

`experiment.plan` makes these from an experiment and its targets; the rig trusts them. They are also what the
spec of a measurement is the hash of, so nothing in a `MountConfig` or a `Load` may depend on the time, the
checkout's path or the run's number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fuselab.records.cpus import Cpus
from fuselab.targets.model import CounterSources, Drain, Link, ProfilerSupport, Service, Stopping

RIG_VERSION = 2
"""Part of every spec: raise it when a change of the rig makes old figures incomparable with new ones."""

NOT_FRESH = "the target is not told {state}: unless it keeps its data in memory, earlier runs left theirs"
"""The mark of a run whose mount is not `fresh`."""

REQUEST = "request.json"

Purpose = Literal["timed", "capture", "cost", "verify", "work"]
COMPARED = frozenset({"timed", "cost"})
"""Purposes whose figures are compared: their load warms up first, and a busy machine voids them."""
COUNTED = frozenset({"work"})
"""Purposes whose runs are counted: no clock is in their figures, and however busy the machine is, they count."""


@dataclass(frozen=True)
class CommandLine:
    """How one mount of a run is started."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MountConfig:
    """`<experiment>/mounts/<variant>.<profilers>.json`: how one variant is mounted for one set of profilers.

    `argv`, `env`, `files` and `prepare` still hold `{mountpoint}`, `{state}`, `{capture}` and ports: the rig
    fills them. `{binary}` is filled: a path relative to the repository, or an installed program's name.
    """

    variant: str
    target: str
    build: str | None
    """`<target>/<build>` below `results/builds`, None for installed programs."""
    binary: str
    argv: tuple[str, ...]
    """Empty: no mount, the load runs in a plain folder of the state (the target `directory`)."""
    env: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    prepare: tuple[tuple[str, ...], ...]
    ready_timeout_s: float
    stop: Stopping
    backend: str
    persists: bool
    services: tuple[tuple[str, Service], ...] = ()
    """What each is to the backend, in the order in which they are started."""
    links: tuple[tuple[str, Link], ...] = ()
    """The ways to services that are some way off, by what each is to the backend."""
    profilers: tuple[ProfilerSupport, ...] = ()
    network: Literal["private", "host"] = "private"
    read_only: bool = False
    mounts: int = 1
    hang_s: float = 20.0
    """After how long without any progress a run has hung."""
    others: CommandLine | None = None
    """The second and further mounts, if any: no profiler looks at them, or they would write the same files."""
    pass_env: tuple[str, ...] = ()
    """Names of variables that it gets from the caller's shell. Their values stand in nothing that is kept."""
    drain: Drain | None = None
    """What tells that it has drained; None: that its unmount has returned."""
    cache: tuple[str, ...] = ()
    """Folders of it that are emptied before it is read back; `{state}` is filled by the rig."""
    cpus: Cpus = field(default_factory=Cpus)

    def passed(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What of the caller's environment the target gets."""
        return {name: environ[name] for name in self.pass_env if name in environ}

    @property
    def profiler_env(self) -> frozenset[str]:
        """Names of the variables that are there for its profilers: nothing but the target itself is looked at."""
        return frozenset(name for support in self.profilers for name, _ in support.env)

    def command_line(self, number: int) -> CommandLine:
        """Of the mount `number`, from 1."""
        if number > 1 and self.others is not None:
            return self.others
        return CommandLine(self.argv, self.env)

    @property
    def fresh(self) -> bool:
        """Whether its data can be the run's own: in its `{state}`, in a service, or in nothing that is written."""
        words = (*self.argv, *(text for _, text in self.env), *(text for _, text in self.files))
        steps = (word for step in self.prepare for word in step)
        return self.read_only or bool(self.services) or any("{state}" in w for w in (*words, *steps))

    @property
    def profiler(self) -> str:
        """`none`, or the names joined by `+`: the word in paths and records."""
        return "+".join(p.name for p in self.profilers) or "none"


@dataclass(frozen=True)
class Load:
    """One load, for the module of its kind in `fuselab.workloads`."""

    kind: str
    workload: str
    settings: Mapping[str, Any]
    randseed: int = 0
    prepare: tuple[tuple[str, ...], ...] = ()
    cache: Literal["cold", "warm"] = "cold"
    timeout_s: float = 600.0


@dataclass(frozen=True)
class RunRequest:
    """One run. Paths are absolute; `out` exists, is empty, and belongs to this run alone."""

    purpose: Purpose
    experiment: str
    mount: MountConfig
    load: Load
    out: str
    state_root: str
    """Folder below which the run makes (and removes) its own state folder."""
    repository: str
    """Root that relative paths in `mount` start from."""
    block: int | None = None
    repeat: int | None = None
    """Number of the capture, from 1; None for other purposes."""
    log_cap_bytes: int = 16 * 2**20
    """How much of the target's own log is kept; the rest is counted and thrown away."""
    code: str = ""
    """Hash of the code that is to make the run (`fuselab.code`); empty: whichever there is."""
    gate_limit_s: float = 5.0
    """How long a run waits for a quiet machine before it starts anyway, and says so."""
    counters: CounterSources = field(default_factory=CounterSources)
    """What target and services count themselves, read around the load; of work runs alone."""
    load_group: str = ""
    """Of a run whose load takes turns with those of others: the control group that stops and continues it. Whoever
    conducts them looks how quiet the machine is, and ends the load."""
