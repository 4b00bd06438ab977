"""One attempt of a measured job: a run below `results/<experiment>/attempts/`, moved to its place when it is whole.

By one rename, so that a killed job never leaves half a block where a whole one belongs, and what was measured until
then is kept.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from fuselab.checksums import write_sums
from fuselab.files import next_numbered, read_json, rename, write_json
from fuselab.measuring import anew
from fuselab.records.design import Pair
from fuselab.records.failures import Failure
from fuselab.records.places import Results, home_of
from fuselab.records.request import Load, MountConfig, Purpose, RunRequest
from fuselab.records.run import RunRecord
from fuselab.rig.run import execute
from fuselab.targets.model import CounterSources
from fuselab.workloads.verifying.base import DATA

T = TypeVar("T")

NO_PATIENCE = "FUSELAB_NO_PATIENCE"
"""Set in the environment: runs start at once, and blocks are kept at their first attempt, marked where the machine was
busy. For machines that are never quiet, where all waiting is in vain."""
_NO_GATE_S = 0.1


@dataclass(frozen=True)
class VerifyTask:
    experiment: str
    mount: MountConfig
    essential: bool
    """The first variant as it is written: nothing can be compared without it, so its failure ends the experiment."""
    state: str | None
    ways: tuple[str, ...] = (DATA,)
    """Keys of `VERIFIERS`."""
    known_failures: tuple[str, ...] = ()
    """Patterns of what the target is known to fail."""
    code: str = ""
    """Hash of the code that is to measure, as it was when the DAG was made; empty: whichever there is."""


@dataclass(frozen=True)
class BlockTask:
    experiment: str
    purpose: Literal["timed", "cost", "work"]
    mounts: dict[str, MountConfig]
    """By the name of the run's folder: the variant, or what a cost block calls its runs."""
    order: tuple[str, ...]
    load: Load
    randseed: int
    state: str | None
    own_loads: dict[str, Load] = field(default_factory=dict)
    """Of the runs whose variant changes a setting of `load`."""
    pairs: tuple[Pair, ...] = ()
    """The contrasts that the runs are for: who has nothing left to be compared with is not run. None: all are run."""
    code: str = ""
    counters: dict[str, CounterSources] = field(default_factory=dict)
    """By the name of the run's folder: what its programs count themselves, and where that is read."""
    rounds: tuple[tuple[str, ...], ...] = ()
    """The order of the turns that the loads take, all mounted at once; none: one run follows the other."""
    slice_s: float = 0.0
    """Length of a turn."""


@dataclass(frozen=True)
class CaptureTask:
    experiment: str
    mount: MountConfig
    load: Load
    randseed: int
    state: str | None
    code: str = ""
    blocks: str = ""
    """The folder of the timed blocks of the same load, as far as it is there: who never completed one is known."""


def run(request: RunRequest) -> RunRecord:
    """The one place where measuring starts a run by itself."""
    return execute(request)


def requested(
    purpose: Purpose,
    task: VerifyTask | BlockTask | CaptureTask,
    config: MountConfig,
    load: Load,
    out: Path,
    block: int | None = None,
    repeat: int | None = None,
    counters: CounterSources = CounterSources(),  # noqa: B008  frozen
) -> RunRequest:
    """What one run is asked, in its new folder `out`."""
    out.mkdir(parents=True)
    request = RunRequest(
        purpose=purpose,
        experiment=task.experiment,
        code=task.code,
        mount=config,
        load=load,
        out=str(out.resolve()),
        state_root=str(Results().state_of(task.state)),
        repository=str(Path.cwd()),
        block=block,
        repeat=repeat,
        counters=counters,
    )
    if NO_PATIENCE in os.environ:
        request = replace(request, gate_limit_s=_NO_GATE_S)
    return request


def failure_of(record: RunRecord) -> Failure:
    return Failure(record.fault or "died or refused", record.reason or "")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def before(out: Path, name: str, kind: type[T]) -> T | None:
    """The record `name` of the failed measurement that was set aside to make that of `out` anew."""
    kept = anew.kept(out)
    return None if kept is None else read_json(kept / name, kind)


def new_attempt(experiment: str, *words: str) -> Path:
    """A new, numbered folder for one attempt; earlier ones stay."""
    folder = next_numbered(Results().experiment(experiment).attempts_of(*words))
    folder.mkdir()
    return folder


def settle(attempt: Path, name: str, record: object, out: Path) -> None:
    """Move a whole attempt to its place in one step, where nothing is or an empty folder: with its `record` in the
    file `name`, summed, and on the disk. What was set aside of it has been tried anew.
    """
    write_json(attempt / name, record)
    write_sums(attempt)
    out.parent.mkdir(parents=True, exist_ok=True)
    rename(attempt, out)
    for folder in (attempt.parent, attempt.parent.parent):
        if folder != home_of(out).attempts and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if (kept := anew.kept(out)) is not None:
        anew.done(kept)
