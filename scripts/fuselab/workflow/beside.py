"""What services, ways to them and drains take of the time of runs: what stands beside the load, for `fuselab plan`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from fuselab.experiment import beside
from fuselab.experiment.plan import NONE, Plan
from fuselab.files import read_json
from fuselab.records import places
from fuselab.records.places import Results
from fuselab.records.request import MountConfig
from fuselab.records.run import TRIPS, RunRecord
from fuselab.targets.model import Service

_SAMPLE = 24
"""How many of the newest runs of one kind are looked at for their times."""
What = Literal["services", "ways", "drain"]


@dataclass(frozen=True)
class Beside:
    """One thing that each run of some variants does beside its load."""

    what: What
    name: str
    """`etcd-3 (3 processes), s3`; `meta 5 ms each way`; `counter uploads at 0, within 60 s`."""
    variants: tuple[str, ...]
    run_s: float | None
    """Of each run; None where nothing is known."""
    all_s: float
    """Of all runs that are still to be made."""
    measured: bool
    """Whether that is what runs made here took, or a guess."""
    limit_s: float | None = None
    """How long it may take at the most, where that is said."""


@dataclass(frozen=True)
class _Kind:
    what: What
    name: Callable[[MountConfig], str]
    """"" where a mount has nothing of the kind."""
    took_s: Callable[[RunRecord], float | None]
    """In a run that was made."""
    guess_s: Callable[[MountConfig], float | None]


def found_beside(plan: Plan, root: Path, left: Callable[[Collection[str]], int]) -> Iterator[Beside]:
    """Of each kind, by variants that have the same. `left` says how many runs of these are still to be made, one after
    the other."""
    mounts = {v.name: plan.mounts[v.name, NONE] for v in plan.experiment.variants}
    for kind in _KINDS:
        alike: dict[str, list[str]] = {}
        for variant, mount in mounts.items():
            if name := kind.name(mount):
                alike.setdefault(name, []).append(variant)
        for name, variants in alike.items():
            records = [run for variant in variants for run in _made(plan, root, variant)]
            took = [seconds for run in records if (seconds := kind.took_s(run)) is not None]
            mount = mounts[variants[0]]
            run_s = mean(took) if took else kind.guess_s(mount)
            all_s = (run_s or 0.0) * left(variants)
            limit_s = mount.drain.limit_s if kind.what == "drain" and mount.drain else None
            yield Beside(kind.what, name, tuple(variants), run_s, all_s, bool(took), limit_s)


def newest(records: Iterable[Path]) -> list[RunRecord]:
    """Some of the newest of these runs."""
    ordered = sorted(records, key=lambda path: path.stat().st_mtime, reverse=True)
    return [read_json(path, RunRecord) for path in ordered[:_SAMPLE]]


def _made(plan: Plan, root: Path, variant: str) -> Sequence[RunRecord]:
    """Timed runs of `variant`, mounted as it is now."""
    home = Results(root).experiment(plan.experiment.name)
    folders = (home.blocks(name, plan.timed_spec(name)) for name in plan.loads)
    return newest(path for folder in folders for path in folder.glob(f"*/{variant}/{places.RUN}"))


def _services(mount: MountConfig) -> str:
    return ", ".join(_service(service) for _, service in mount.services)


def _service(service: Service) -> str:
    return service.name + (f" ({service.members} processes)" if service.members > 1 else "")


def _ways(mount: MountConfig) -> str:
    return ", ".join(f"{role} {link.words}".strip() for role, link in mount.links)


def _drain(mount: MountConfig) -> str:
    return mount.drain.words if mount.drain else ""


def _trips_s(run: RunRecord) -> float | None:
    """What measuring round trips took; None where none were."""
    trips_s = [trip_s for trips in run.round_trips_s.values() for trip_s in trips]
    return TRIPS * sum(trips_s) if trips_s else None


def _served_s(run: RunRecord) -> float | None:
    """Setting up and tearing down, of which everything but services and round trips takes milliseconds."""
    if run.phases is None:
        return None
    return max(0.0, run.phases.setup_s + run.phases.teardown_s - (_trips_s(run) or 0.0))


def _drained_s(run: RunRecord) -> float | None:
    return None if run.phases is None else run.phases.drain_s


_KINDS = (
    _Kind("services", _services, _served_s, beside.services_s),
    _Kind("ways", _ways, _trips_s, beside.ways_s),
    _Kind("drain", _drain, _drained_s, beside.drain_s),
)
