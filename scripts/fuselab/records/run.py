"""What a run leaves: `run.json`, written last and by rename, so that its presence means the run is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fuselab.errors import Fault
from fuselab.records.places import ATTEMPT, RUN, WORK_RUN
from fuselab.records.request import COUNTED, Purpose
from fuselab.system.mountinfo import MountRecord
from fuselab.words import size

OUTCOMES = (RUN, WORK_RUN, ATTEMPT)
"""One of them is there: the second of a run of fixed work, the third of one that failed."""
COMMAND = "command"
"""In `pids`: who was looked at in place of the target, if anybody was. What `target` says is then this command's."""
Status = Literal["ok", "failed", "void"]


@dataclass(frozen=True)
class Phases:
    """Seconds of each phase, on CLOCK_MONOTONIC."""

    gate_s: float
    setup_s: float
    """State folder, config files, service."""
    mount_s: float
    """From starting the target until the mount point is ready."""
    prepare_s: float
    load_s: float
    drain_s: float
    """From the end of the load until the unmount has returned, or until the target's own sign that it has drained."""
    stop_s: float
    """From there until the target's own exit."""
    teardown_s: float


@dataclass(frozen=True)
class Environment:
    """Deltas over the load, and the state of the machine around it; None where the kernel offers no figure."""

    psi_cpu_us: int | None
    psi_io_us: int | None
    psi_memory_us: int | None
    steal_share: float | None
    """Of all CPU time between start and end of the load."""
    other_user_cpu_share: float | None
    """CPU of other user processes, as a share of one core."""
    loadavg_1m: float | None
    dirty_before_bytes: int | None
    dirty_after_bytes: int | None
    writeback_before_bytes: int | None
    writeback_after_bytes: int | None
    disk_free_bytes: int | None
    state_device: str
    state_fstype: str
    frequency_hz: float | None
    governor: str | None
    temperature_c: float | None
    kernel: str
    gate: Mapping[str, object] = field(default_factory=dict)
    """How long the gate waited, what it saw, whether it was passed or given up."""
    cpu_model: str | None = None
    cpus: int | None = None
    """That are online."""
    memory_bytes: int | None = None
    """Of the whole machine."""


@dataclass(frozen=True)
class TargetUse:
    """What the target and its children used, or a command that was looked at in its place."""

    cpu_s: float
    """User and system time of all its processes between start and end of the load."""
    rss_peak_bytes: int | None
    """The peaks of its processes, added up."""
    log_bytes: int
    """How much it wrote to its own log in all."""
    log_kept_bytes: int


TRIPS, LONGEST_TRIPS_S = 31, 5.0
"""Round trips to a service that is some way off, of which a median is taken, and what they may take beyond the first:
where one takes a second, there are five of them."""
BYTES = "bytes"
"""The sign of a store that was quiet."""


@dataclass(frozen=True)
class Drained:
    """What a target that says when it has drained still had on its way where its unmount would have begun."""

    sign: str
    """What told: `uploads`, a counter; `bytes`, written to the store until it was quiet; `command`."""
    left: float | None
    """So many; None: a command does not say."""
    waited_s: float
    """From there until it had drained."""

    @property
    def words(self) -> str:
        """What was on its way: `12 uploads`, `1.3 MiB`; "" if that is not known."""
        if self.left is None:
            return ""
        return size(self.left) if self.sign == BYTES else f"{self.left:.6g} {self.sign}"


@dataclass(frozen=True)
class FileRecord:
    path: str
    """Relative to the run folder."""
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class RunRecord:
    """run.json. `started_unix_s` is wall-clock time; everything else that is a time is a duration."""

    purpose: Purpose
    experiment: str
    workload: str
    variant: str
    profiler: str
    block: int | None
    repeat: int | None
    status: Status
    reason: str | None
    """Why it failed or is void, in words for the user, with the last log lines if there are any."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    """The whole environment of the target."""
    pids: Mapping[str, int]
    """Of the service, of who serves each mount, and of a command that was looked at."""
    mount: MountRecord | None
    """Without a mount: the filesystem of the state folder."""
    phases: Phases | None
    load_window_s: tuple[float, float] | None
    """Start and end of the load on CLOCK_MONOTONIC: the clock that perf was told to use."""
    load_started_unix_s: float | None
    exit_codes: Mapping[str, int]
    binary_sha256: str | None
    build: str | None
    network: str
    randseed: int
    environment: Environment | None
    target: TargetUse | None
    files: tuple[FileRecord, ...]
    started_unix_s: float
    rig_version: int
    code: str = ""
    """Hash of the code of fuselab that made the run: `fuselab.code`."""
    hostname: str = ""
    family: tuple[int, ...] = ()
    """Pids of all processes of the target that were found before and after the load, in the run's own numbers."""
    observers_s: Mapping[str, float] = field(default_factory=dict)
    """CPU time that each profiler's own processes used while the load ran."""
    cannot_look: Mapping[str, str] = field(default_factory=dict)
    """Those of the profilers sharing the run that could not look at it -> why, with the mend in a line of its own."""
    round_trips_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """`service`, or `service.meta`, that is some way off -> what a round trip took before the load, and after it."""
    drained: Drained | None = None
    """None where the unmount is the drain."""
    marks: tuple[str, ...] = ()
    """Things a reader should know: gate given up, log capped, service killed late, ..."""
    fault: Fault | None = None
    """What kind of failure it is; None unless the status is `failed`."""


def outcome_name(record: RunRecord) -> str:
    """The one of OUTCOMES that a run with this record leaves."""
    if record.status == "failed":
        return ATTEMPT
    return WORK_RUN if record.purpose in COUNTED else RUN


def outcome_of(folder: Path) -> Path | None:
    """The record that a run has left in its `folder`; None until it has."""
    return next((path for name in OUTCOMES if (path := folder / name).is_file()), None)
