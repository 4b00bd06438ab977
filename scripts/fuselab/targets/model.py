"""What a target is: the frozen result of reading `targets/<name>/target.yaml`, and of `services/<name>.yaml`.

Strings in `argv`, `env` and `files` are templates. The placeholders, filled by `fill` and nothing else:

| placeholder | is |
|---|---|
| `{binary}` | the built or installed program |
| `{mountpoint}` | where it is to mount; with several mounts, each in turn |
| `{number}` | which of the run's mounts it is: 1, and with several mounts 2 and so on |
| `{state}` | the run's own empty folder on disk: data, sqlite files, caches, rendered config files |
| `{capture}` | where a profiler's files belong |
| `{port}` | the service's port, inside the rig's own network; `{port2}` that of the second of its members |
| `{meta.port}` | of a backend with several services, the port of the one that is its `meta` |
| `{member}` | in a service's own file: which of its members it is: 1, 2 and so on |
| `{value}` | the value of a mount option |
| `{backend}`, `{options}`, `{profiler}` | alone in an argument: replaced by the arguments of that part, none or many |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Literal

_PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+[0-9]*(?:\.port[0-9]*)?)\}")

StopFirst = Literal["unmount", "signal"]
CounterFormat = Literal["prometheus", "json", "lines", "redis"]


@dataclass(frozen=True)
class CargoBuild:
    """A cargo package. `source` is absolute; None if `source_env` names a variable that is not set."""

    source: Path | None
    source_env: str | None = None
    package: str | None = None
    binary: str = ""
    features: tuple[str, ...] = ()
    default_features: bool = True
    profile: str = "release"
    toolchain: str | None = None
    args: tuple[str, ...] = ()
    benches: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    """Programs that the build calls, each with the Debian package that it is in."""
    kind: Literal["cargo"] = "cargo"


@dataclass(frozen=True)
class CommandBuild:
    """Any build command, run in a fresh copy of the source; leaves `binary` (relative to the source)."""

    source: Path | None
    source_env: str | None = None
    argv: tuple[str, ...] = ()
    binary: str = ""
    env: tuple[tuple[str, str], ...] = ()
    needs: tuple[tuple[str, str], ...] = ()
    kind: Literal["command"] = "command"


@dataclass(frozen=True)
class Installed:
    """A program that is there already. `version` is the argument list that prints its version."""

    binary: str = ""
    version: tuple[str, ...] = ()
    kind: Literal["installed"] = "installed"


@dataclass(frozen=True)
class NoBuild:
    """No program at all: the bare directory."""

    kind: Literal["none"] = "none"


Build = CargoBuild | CommandBuild | Installed | NoBuild


@dataclass(frozen=True)
class MountTemplate:
    """How it is mounted. `argv` empty means no mount: the load runs in a plain folder of the state."""

    argv: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Config files rendered into the state folder: (relative path, template text)."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Argument lists run once before the mount (format the store, say)."""
    ready_timeout_s: float = 30.0
    hang_s: float = 20.0
    """How long requests may be on their way with nobody at work until the run has hung."""
    read_only: bool = False
    """Nothing can be written through it: it is not verified by writing, and only loads that read fit."""
    pass_env: tuple[str, ...] = ()
    """Names of variables of the caller's shell that it gets."""
    cache: tuple[str, ...] = ()
    """Folders that hold nothing which is not in its store too, once it has drained."""


@dataclass(frozen=True)
class Stopping:
    """How a target is ended."""

    first: StopFirst = "unmount"
    signal: str = "INT"
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Backend:
    """Where a target keeps what it stores."""

    name: str
    services: tuple[tuple[str, str], ...] = ()
    """What each of them is to it, and its name, in the order in which they are started; one alone is `ONLY`."""
    argv: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    persists: bool = True
    """Data survives a remount within one run."""
    counters: tuple[CounterSource, ...] = ()
    """What the target counts with this one alone."""


@dataclass(frozen=True)
class Option:
    """How the mount option `name` reaches the program; each template may use `{value}`."""

    name: str
    argv: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    description: str = ""
    pattern: str = ""
    """Regular expression that a value matches as a whole; empty: anything goes."""


@dataclass(frozen=True)
class ProfilerSupport:
    """What one profiler needs from this target."""

    name: str
    features: tuple[str, ...] = ()
    rustflags: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    argv: tuple[str, ...] = ()
    log_filter: tuple[str, str] | None = None
    """(variable, value): joined with a comma where several profilers share a capture."""
    files: tuple[str, ...] = ()
    """Glob patterns, relative to the capture folder, of the files it leaves."""
    unavailable: str | None = None
    """Why this target cannot have it; None if it can."""


@dataclass(frozen=True)
class CounterSource:
    """One place to read counters from: `http`, `file` or `argv`, the two others empty."""

    format: CounterFormat
    http: str = ""
    file: str = ""
    argv: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    """Patterns of names; empty: all."""
    without: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    """Labels of Prometheus series that are told apart; over all others is summed."""
    rename: tuple[tuple[str, str], ...] = ()
    settle_s: float = 0.0
    """How long it takes until what happened is counted there."""

    @property
    def where(self) -> str:
        """As it was written, in one line."""
        return self.http or self.file or " ".join(self.argv)


@dataclass(frozen=True)
class Drain:
    """What tells that all of a load is where it belongs: `counter`, `argv` or `quiet_s`, the others empty."""

    counter: str = ""
    """One of the target's own, that comes down to 0."""
    argv: tuple[str, ...] = ()
    """A command that succeeds."""
    quiet_s: float = 0.0
    """For how long nothing is written to the store."""
    limit_s: float = 60.0
    sources: tuple[CounterSource, ...] = ()
    """Where the target counts, if it is a counter that tells."""

    @property
    def words(self) -> str:
        """When it has drained: `counter uploads at 0, within 60 s`."""
        if self.counter:
            sign = f"counter {self.counter} at 0"
        else:
            sign = f"`{' '.join(self.argv)}` succeeds" if self.argv else f"store quiet for {self.quiet_s:g} s"
        return f"{sign}, within {self.limit_s:g} s"


@dataclass(frozen=True)
class CounterSources:
    """What the target of a variant counts itself, and what its services do.

    Kept apart from how either is started: a run that is timed reads none of it, and its spec does not know it.
    """

    target: tuple[CounterSource, ...] = ()
    services: tuple[tuple[str, tuple[CounterSource, ...]], ...] = ()
    """By what each is to its backend."""

    @property
    def settle_s(self) -> float:
        """How long to wait before all of them are read."""
        sources = (*self.target, *(source for _, of in self.services for source in of))
        return max((source.settle_s for source in sources), default=0.0)


@dataclass(frozen=True)
class Fits:
    """The revisions of the source that a target's file is known to fit, both ends included; "" is open."""

    since: str = ""
    until: str = ""

    @property
    def words(self) -> str:
        """`2c5f8e4ac and later`, `v0.1 to v0.3`."""
        if self.since == self.until:
            return f"{self.since} alone"
        if not self.until:
            return f"{self.since} and later"
        return f"{self.since} to {self.until}" if self.since else f"what came until {self.until}"


@dataclass(frozen=True)
class Target:
    """All that a target.yaml says."""

    name: str
    path: Path
    title: str
    build: Build
    mount: MountTemplate
    stop: Stopping = Stopping()
    backends: Mapping[str, Backend] = field(default_factory=dict)
    """Always has at least one; the first is the default. A target without stores has `none`. Pairs of `stores` come
    behind those that have a name of their own."""
    stores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where it takes one of each to make a backend: the names of its `meta` and of its `data`, else nothing."""
    options: Mapping[str, Option] = field(default_factory=dict)
    profilers: Mapping[str, ProfilerSupport] = field(default_factory=dict)
    log_filter: tuple[str, str] | None = None
    counters: tuple[CounterSource, ...] = ()
    known_failures: tuple[str, ...] = ()
    """Patterns of what it is known to fail when it is verified."""
    drain: Drain | None = None
    """None: it has drained when its unmount returns."""
    fits: Fits | None = None
    """None: nothing is said of it."""


@dataclass(frozen=True)
class Link:
    """The way between a target and a service: what `network:` of a variant asks for."""

    delay_s: float = 0.0
    """Each way, as netem counts it: a round trip takes twice that."""
    jitter_s: float = 0.0
    """So much sooner or later at the most, evenly."""
    rate_bits_s: float = 0.0
    """In each direction of a connection; 0: as much as comes."""

    @property
    def words(self) -> str:
        """`1 ms each way, ±0.2 ms, at most 1000 Mbit/s`."""
        parts = [f"{self.delay_s * 1e3:g} ms each way"] if self.delay_s else []
        parts += [f"±{self.jitter_s * 1e3:g} ms"] if self.jitter_s else []
        parts += [f"at most {self.rate_bits_s / 1e6:g} Mbit/s"] if self.rate_bits_s else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Service:
    """A store's server, one fresh instance per run inside the rig: `services/<name>.yaml`."""

    name: str
    argv: tuple[str, ...] = ()
    port: int = 0
    env: tuple[tuple[str, str], ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()
    """Argument lists run once on the fresh state folder, before the server starts (initdb, say)."""
    ready_argv: tuple[str, ...] = ()
    """Exit code 0 means ready; empty means: the port accepts a connection."""
    ready_timeout_s: float = 20.0
    stop_signal: str = "TERM"
    stop_timeout_s: float = 10.0
    user: str | None = None
    """An account to run as, for servers that refuse root (postgres)."""
    members: int = 1
    """How many processes it is, each with the same `argv`: it is there as long as more than half of them are."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Of each member, one behind the other."""
        return tuple(range(self.port, self.port + self.members))


def is_shell(argv: Sequence[str]) -> bool:
    """Whether a command line is a text for a shell: `sh -c ...`."""
    return len(argv) > 1 and argv[1].startswith("-") and "c" in argv[1] and Path(argv[0]).name in _SHELLS


MOST_MEMBERS = 9
"""Of a service: `{member}` is one digit, so that ports can be written with it."""


ONLY = ""
"""What the one service of a backend is to it, where it needs no other."""


STORES = ("meta", "data")
"""What a target may say in two parts, of which each pair is a backend; also what the service of a part is to it."""


def pair_name(*names: str) -> str:
    """The name of the backend that is a pair of stores: `etcd-s3`."""
    return "-".join(names)


def pair_names(stores: Mapping[str, Iterable[str]]) -> list[str]:
    """Of all pairs of the names of `stores`; nothing where one of the two has none."""
    return [pair_name(*names) for names in product(*(stores.get(store) or () for store in STORES))]


def port_name(role: str, member: int = 1) -> str:
    """The placeholder of a service's port, by what it is to its backend: `port`, or `meta.port`; `port2` of the second
    of several members."""
    return (f"{role}.port" if role else "port") + (str(member) if member > 1 else "")


def service_name(role: str, member: int = 1) -> str:
    """How what belongs to a service is called, by what it is to its backend: `service`, or `service.meta`; `service-2`
    what belongs to the second of several members alone."""
    return (f"service.{role}" if role else "service") + (f"-{member}" if member > 1 else "")


_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")


SCRATCH = "scratch"
"""The placeholder of a load for a folder outside the mounts, on disk, that is gone after the run."""


MOUNTPOINTS = "{mountpoints}"
"""Of a fio job's `directory`: all mounts of the run, which fio shares out among the clones of the job."""


def mountpoint_name(number: int) -> str:
    """The placeholder of a load for the mount `number` of its run: `mountpoint`, `mountpoint2`, ..."""
    return "mountpoint" if number == 1 else f"mountpoint{number}"


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace `{name}` for every name in `values`, once; other braces, and those of `${name}`, stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def fill_argv(
    templates: tuple[str, ...],
    values: Mapping[str, str],
    parts: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Fill each argument; an argument that is exactly `{part}` becomes the arguments of `parts[part]`."""
    argv: list[str] = []
    for template in templates:
        match = _PLACEHOLDER.fullmatch(template)
        if match and match[1] in parts:
            argv += [fill(word, values) for word in parts[match[1]]]
        else:
            argv.append(fill(template, values))
    return tuple(argv)
