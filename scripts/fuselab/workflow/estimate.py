"""What an experiment has, and what it still takes: with `findable`, all that `fuselab plan` says.

Times come from runs that are there; without any, from the load's own runtime, and that is said.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from fuselab.compare.schedule import LOOKS
from fuselab.experiment.beside import beside_s
from fuselab.experiment.fixed_work import WORK_BLOCKS
from fuselab.experiment.model import Workload
from fuselab.experiment.plan import NONE, Plan
from fuselab.files import read_json
from fuselab.records import places
from fuselab.records.look import Look
from fuselab.records.places import Results
from fuselab.records.request import MountConfig
from fuselab.workflow.beside import Beside, found_beside, newest
from fuselab.workflow.cleanup import Leftover, size_bytes, stale
from fuselab.workflow.detectable import Detectable, detectable
from fuselab.workflow.layout import COST_BLOCKS, Layout
from fuselab.workloads.verifying import VERIFIERS

_OVERHEAD_S = 2.0
"""Of a run beyond its load and what stands beside it, where none has been measured: gate, mount, unmount, teardown."""
_RUNS = f"*/*/{places.RUN}"


@dataclass(frozen=True)
class Part:
    """One kind of thing to make. `seconds_each` is None where nothing is known."""

    what: str
    name: str
    done: int
    wanted: int
    seconds_each: float | None
    bytes_each: int | None
    measured: bool
    """Whether the time is that of runs made here, or a guess from the load's settings."""
    stops_early: bool = False
    """Whether a look may say that fewer are enough: `wanted` are then those of the last look."""
    variants: tuple[str, ...] = ()
    """Of the runs in each of them."""

    @property
    def left(self) -> int:
        return max(0, self.wanted - self.done)


@dataclass(frozen=True)
class Estimate:
    experiment: str
    parts: tuple[Part, ...]
    stale: tuple[Leftover, ...]
    findable: tuple[Detectable, ...]
    beside: tuple[Beside, ...] = ()
    """What services, ways to them and drains take of it."""

    @property
    def seconds(self) -> float:
        return sum(part.left * (part.seconds_each or 0) for part in self.parts)

    @property
    def bytes(self) -> int:
        return sum(part.left * (part.bytes_each or 0) for part in self.parts)

    @property
    def unknown(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.left and part.seconds_each is None)


def estimate(plan: Plan, root: Path) -> Estimate:
    """Of one experiment, from its plan and what lies below `root/results`."""
    parts = parts_of(plan, root)
    return Estimate(
        plan.experiment.name,
        parts,
        tuple(stale(plan, root)),
        tuple(detectable(plan, root)),
        tuple(found_beside(plan, root, partial(_runs_left, plan, parts))),
    )


def _runs_left(plan: Plan, parts: tuple[Part, ...], variants: Collection[str]) -> int:
    """How many runs of `variants` are still to be made, one after the other: those that take turns are so at once."""
    left = 0
    for part in parts:
        theirs = sum(variant in variants for variant in part.variants)
        at_once = part.what == "blocks" and plan.experiment.workload(part.name).slice_s
        left += part.left * (min(theirs, 1) if at_once else theirs)
    return left


def parts_of(plan: Plan, root: Path) -> tuple[Part, ...]:
    """What there is to make for one experiment, in the order it is made in."""
    kinds = (_builds, _verifies, _blocks, _captures, _cost_blocks, _work_blocks)
    return tuple(part for kind in kinds for part in kind(plan, root))


def _builds(plan: Plan, root: Path) -> Iterator[Part]:
    for folder in plan.all_builds:
        spec, path = plan.builds[folder], Results(root).build(folder)
        seconds = 1.0 if spec.kind == "installed" else _build_seconds(root, spec.target)
        there = path / places.BUILD
        yield Part("build", folder, int(there.exists()), 1, seconds, _size_near(path), seconds is not None)


def _build_seconds(root: Path, target: str) -> float | None:
    """The longest of the target's builds: which part of the next is shared with them is not known.

    Snakemake has notes of one that was stopped too, which say nothing of how long it takes.
    """
    made = Results(root).build(target).glob(f"*/{places.BUILD}")
    known = (_job_seconds(root, path.parent) for path in made)
    return max((seconds for seconds in known if seconds is not None), default=None)


def _job_seconds(root: Path, output: Path) -> float | None:
    """How long Snakemake's job for `output` took, from its own notes."""
    name = base64.urlsafe_b64encode(str(output.relative_to(root)).encode()).decode()
    try:
        notes: dict[str, Any] = json.loads((root / ".snakemake" / "metadata" / name).read_text())
        return float(notes["endtime"]) - float(notes["starttime"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _verifies(plan: Plan, root: Path) -> Iterator[Part]:
    """How often a fixed amount of work waits for a store that is far away, only a run of that variant can tell."""
    guess = sum(VERIFIERS[way].seconds for way in plan.experiment.verify)
    near = _mean_seconds(_verified(root, "*", "*"), near=True)
    for name in dict.fromkeys(run.variant for run in plan.verifying):
        paths = [root / path for path in Layout(plan).verified(name)]
        done = sum(path.is_dir() for path in paths)
        mount = plan.mounts[name, NONE]
        measured = _mean_seconds(_verified(root, plan.experiment.name, name)) or (
            None if mount.links else near
        )
        each = measured or (None if mount.links else guess + beside_s(mount))
        yield Part("verify", name, done, len(paths), each, 0, measured is not None, variants=(name,))


def _verified(root: Path, experiment: str, variant: str) -> Iterator[Path]:
    return root.glob(str(Results().experiment(experiment).verified(variant, "*") / places.RUN))


def _blocks(plan: Plan, root: Path) -> Iterator[Part]:
    e = plan.experiment
    names = tuple(v.name for v in e.variants)
    mounts = [plan.mounts[name, NONE] for name in names]
    for workload in e.workloads:
        home = Results(root).experiment(e.name).blocks(workload.name, plan.timed_spec(workload.name))
        decided = _decided(plan, workload.name, root) if e.blocks == "auto" else e.blocks
        each = _mean_seconds(home.glob(_RUNS)) or _mean_seconds(home.parent.glob(f"*/{_RUNS}"))
        done = len(list(home.glob(f"*/{places.BLOCK}")))
        # A run of loads that take turns was measured to last as long as its whole block.
        runs = 1 if workload.slice_s and each else len(e.variants)
        part = _part(
            "blocks",
            workload.name,
            done,
            decided or LOOKS[-1],
            _load_seconds(workload, mounts),
            each,
            runs,
            home.glob("*"),
            100_000 * runs,
        )
        yield replace(part, stops_early=decided is None, variants=names)


def _decided(plan: Plan, workload: str, root: Path) -> int | None:
    """Blocks at which the looks have stopped; None where they have not."""
    looks = Results(root).experiment(plan.experiment.name).looks(workload, plan.timed_spec(workload))
    for look in looks.glob("*.json"):
        if read_json(look, Look).next is None:
            return int(look.stem)
    return None


def _captures(plan: Plan, root: Path) -> Iterator[Part]:
    for c in plan.captures:
        home = Results(root).experiment(plan.experiment.name)
        mine = home.captures(c.variant, c.workload, c.profiler, c.spec)
        each = _mean_seconds(mine.parent.glob(_RUNS))
        done = len(list(mine.glob(f"*/{places.CAPTURE}")))
        workload, name = plan.experiment.workload(c.workload), f"{c.variant}, {c.workload}: {c.profiler}"
        guess = _load_seconds(workload, [plan.mounts[c.variant, NONE]])
        part = _part("captures", name, done, c.repeats, guess, each, 1, mine.parent.glob("*/*"))
        yield replace(part, variants=(c.variant,))


def _cost_blocks(plan: Plan, root: Path) -> Iterator[Part]:
    """Blocks that measure what profiling costs, by workload."""
    for name, folder in Layout(plan).cost_folders.items():
        home, workload = root / folder, plan.experiment.workload(name)
        each = _mean_seconds(home.glob(_RUNS))
        done = len(list(home.glob(f"*/{places.BLOCK}")))
        runs, guess = len(plan.cost_mounts), _load_seconds(workload, list(plan.cost_mounts.values()))
        part = _part("cost blocks", name, done, COST_BLOCKS, guess, each, runs, home.glob("*"))
        yield replace(part, variants=(plan.experiment.baseline.name,) * runs)


def _work_blocks(plan: Plan, root: Path) -> Iterator[Part]:
    """Blocks of fixed work, by workload."""
    for name, folder in Layout(plan).work_folders.items():
        home = root / folder
        each = _mean_seconds(home.glob(f"*/*/{places.WORK_RUN}"))
        done = len(list(home.glob(f"*/{places.BLOCK}")))
        runs, guess = len(plan.experiment.variants), plan.work.run_seconds[name]
        part = _part("work blocks", name, done, WORK_BLOCKS, guess, each, runs, home.glob("*"), 50_000 * runs)
        yield replace(part, variants=tuple(v.name for v in plan.experiment.variants))


def _part(
    what: str,
    name: str,
    done: int,
    wanted: int,
    guess: float | None,
    run_s: float | None,
    runs: int,
    examples: Iterator[Path],
    bytes_each: int | None = None,
) -> Part:
    """Of measurements with so many `runs` in each. `guess` is how long a run may take where none has been made, and
    `bytes_each` how much one leaves.
    """
    each = run_s or guess
    seconds = None if each is None else each * runs
    example = next(examples, None)
    size = size_bytes(example) if example else bytes_each
    return Part(what, name, min(done, wanted), wanted, seconds, size, run_s is not None)


def _size_near(path: Path) -> int | None:
    """Of a build's folder, or of another build of the same target."""
    known = path if path.is_dir() else next(path.parent.glob("*"), None)
    return size_bytes(known) if known else None


def _mean_seconds(records: Iterator[Path], *, near: bool = False) -> float | None:
    """Mean of all phases together over the newest runs; with `near`, of those whose stores are not far away."""
    runs = [run for run in newest(records) if run.phases and not (near and run.round_trips_s)]
    seconds = [sum(astuple(run.phases)) for run in runs if run.phases]
    return mean(seconds) if seconds else None


def _load_seconds(workload: Workload, mounts: Sequence[MountConfig]) -> float | None:
    """From the load's settings and what stands beside it in `mounts`, on average; None where only a run can tell."""
    seconds = workload.behaviour.seconds(workload.settings)
    return None if seconds is None else seconds + _OVERHEAD_S + mean(map(beside_s, mounts))
