"""What is known of a run so far, and the record that it becomes."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

from fuselab import foreign
from fuselab.code import measuring_code
from fuselab.errors import Fault, UnreadableError
from fuselab.files import read_json, sha256
from fuselab.records.places import BUILD
from fuselab.records.request import REQUEST, RIG_VERSION, RunRequest
from fuselab.records.run import (
    OUTCOMES,
    Drained,
    Environment,
    FileRecord,
    Phases,
    RunRecord,
    Status,
    TargetUse,
)
from fuselab.rig.environment import Gate
from fuselab.rig.hidden import Hidden, hidden_of
from fuselab.system.mountinfo import MountRecord


@dataclass
class Recorder:
    """Grows while the run goes on, so that a failed run can tell how far it came. Times of a phase add up."""

    request: RunRequest
    started_unix_s: float = field(default_factory=time.time)
    argv: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    mount: MountRecord | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase, without its `_s`."""
    load_window_s: tuple[float, float] | None = None
    load_started_unix_s: float | None = None
    exit_codes: dict[str, int] = field(default_factory=dict)
    gate: Gate | None = None
    environment: Environment | None = None
    noise: str | None = None
    """Why the machine was too busy for this run to count; None if it was quiet."""
    target: TargetUse | None = None
    family: tuple[int, ...] = ()
    observers_s: dict[str, float] = field(default_factory=dict)
    cannot_look: dict[str, str] = field(default_factory=dict)
    round_trips_s: dict[str, tuple[float, ...]] = field(default_factory=dict)
    drained: Drained | None = None
    log_bytes: int = 0
    """What the targets wrote to their logs, and how much of it was kept."""
    log_kept_bytes: int = 0
    marks: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - started)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def mark(self, text: str) -> None:
        if text not in self.marks:
            self.marks.append(text)
            self.say(f"note: {text}")

    def say(self, text: str) -> None:
        """One line of the job's log."""
        now = time.time()
        clock = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d}"
        print(
            f"{clock} {self.request.mount.variant}: {self.hidden.text(foreign.plain(text))}",
            file=sys.stderr,
            flush=True,
        )

    @cached_property
    def hidden(self) -> Hidden:
        return hidden_of(self.request.mount)

    def record(self, status: Status, reason: str | None, fault: Fault | None = None) -> RunRecord:
        """What is known so far. Secrets are taken out of it, and of the logs, before their hashes are."""
        request = self.request
        self.hidden.logs(Path(request.out))
        return RunRecord(
            purpose=request.purpose,
            experiment=request.experiment,
            workload=request.load.workload,
            variant=request.mount.variant,
            profiler=request.mount.profiler,
            block=request.block,
            repeat=request.repeat,
            status=status,
            reason=reason and self.hidden.text(foreign.plain(reason)),
            argv=self.hidden.words(self.argv),
            env=self.hidden.env(self.env),
            pids=self.pids,
            mount=self.mount,
            phases=Phases(
                **{f.name: self.seconds.get(f.name.removesuffix("_s"), 0.0) for f in fields(Phases)}
            ),
            load_window_s=self.load_window_s,
            load_started_unix_s=self.load_started_unix_s,
            exit_codes=self.exit_codes,
            binary_sha256=_binary_sha256(request),
            build=request.mount.build,
            network=request.mount.network,
            randseed=request.load.randseed,
            environment=self.environment,
            target=self.target
            and replace(self.target, log_bytes=self.log_bytes, log_kept_bytes=self.log_kept_bytes),
            files=_files(Path(request.out)),
            started_unix_s=self.started_unix_s,
            rig_version=RIG_VERSION,
            code=measuring_code(request.purpose),
            hostname=platform.node(),
            family=self.family,
            observers_s=self.observers_s,
            cannot_look=self.cannot_look,
            round_trips_s=self.round_trips_s,
            drained=self.drained,
            marks=self.hidden.words(self.marks),
            fault=fault,
        )


def binary_path(request: RunRequest) -> Path | None:
    """Of the target's program; None if it has none. Installed programs are absolute already."""
    name = request.mount.binary
    return Path(request.repository, name) if name else None


def _binary_sha256(request: RunRequest) -> str | None:
    """As the build noted it: hashing a binary of 1 GB takes longer than mounting it."""
    binary = binary_path(request)
    if binary is None:
        return None
    if request.mount.build is not None:
        with suppress(OSError, UnreadableError, KeyError):
            return str(read_json(binary.with_name(BUILD), dict[str, object])["sha256"])
    return sha256(binary) if binary.is_file() else None


def _files(out: Path) -> tuple[FileRecord, ...]:
    """Every file that the run left, but for its own record and request."""
    found = []
    for folder, _, names in os.walk(out):
        for name in names:
            path = Path(folder, name)
            relative = str(path.relative_to(out))
            if relative not in (*OUTCOMES, REQUEST) and path.is_file() and not path.is_symlink():
                found.append(FileRecord(relative, path.stat().st_size, sha256(path)))
    return tuple(sorted(found, key=lambda file: file.path))
