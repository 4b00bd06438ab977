"""Which night a measurement is of: of one that is kept, whose blocks and captures may go, or of one that goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fuselab.checksums import fault
from fuselab.compare.schedule import NIGHT, night_seed
from fuselab.errors import UnreadableError
from fuselab.experiment.loading import Loaded
from fuselab.files import read_json
from fuselab.records.places import Home
from fuselab.records.plan import PlanFile


def of_night(loaded: Loaded, night: str) -> Loaded:
    """The experiment as it is measured on `night`: with a seed, and so with specs, of that night alone."""
    seed = night_seed(loaded.experiment.seed, night)
    return replace(loaded, experiment=replace(loaded.experiment, seed=seed, night=night))


def going_on(home: Home, today: str) -> list[str]:
    """Nights that are not kept, and may go on with the next call: today's, and the one that was begun last."""
    logs = sorted(home.night_log(NIGHT).parent.glob(home.night_log(NIGHT).name))
    begun = [log.stem.removeprefix(home.night_log("").stem) for log in logs]
    return [night for night in sorted({today, *begun[-1:]}) if not home.night(night).summary.is_file()]


@dataclass(frozen=True)
class Nights:
    """Of the folders of an experiment's measurements: which are of nights."""

    kept: frozenset[Path] = frozenset()
    """Of nights that are kept whole."""
    needed: frozenset[Path] = frozenset()
    """Of nights that go on, and of those of which what was kept has been changed: this is all there is."""
    faults: tuple[str, ...] = ()
    """What has been changed, or cannot be read."""
    unknown: bool = False
    """A night is kept whose plan.json cannot be read, so that nobody can say what was measured for it."""


NO_NIGHTS = Nights()


def nights_of(home: Home, lasting: Iterable[Path]) -> Nights:
    """Read what is kept of each night of an experiment; `lasting` are the folders of nights that go on."""
    kept: set[Path] = set()
    needed, faults, unknown = {*lasting}, [], False
    for path in sorted(home.night(NIGHT).folder.parent.glob(NIGHT)):
        try:
            measured = {*_measured(home, read_json(Home(path).plan, PlanFile))}
        except (OSError, UnreadableError):
            measured, unknown = set(), True
        if reason := fault(path):
            faults.append(reason)
            needed |= measured
        else:
            kept |= measured
    return Nights(frozenset(kept), frozenset(needed), tuple(faults), unknown)


def _measured(home: Home, plan: PlanFile) -> Iterator[Path]:
    for load in plan.workloads:
        yield home.blocks(load.name, load.spec)
        yield home.looks(load.name, load.spec)
        if load.work_spec:
            yield home.work_blocks(load.name, load.work_spec)
    yield from (home.captures(c.variant, c.workload, c.profiler, c.spec) for c in plan.captures)
    yield from (home.verified(run.variant, run.spec) for run in plan.verified)
