"""What lies below `results/` that no experiment names any more, and what failed or killed runs left.

Only what has the shape that fuselab gives it is ever listed, and nothing that a symbolic link leads to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuselab.compare.schedule import NIGHT
from fuselab.experiment.plan import Plan
from fuselab.measuring.anew import ANEW
from fuselab.records import places
from fuselab.records.places import Results
from fuselab.rig import state
from fuselab.system import mountinfo
from fuselab.workflow.layout import Layout
from fuselab.workflow.nights import NO_NIGHTS, Nights

_SPEC = re.compile(r"[0-9a-f]{12}")
_NUMBER = re.compile(r"[0-9]+")
_HALF = re.compile(r"\..+\.[0-9]+\.half")
_HELD = re.compile(r"[0-9]+(\.fifo)?")
_OLD_STATE = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class Leftover:
    """A folder or file that can go. `path` is relative to the repository."""

    path: Path
    why: str
    bytes: int


def size_bytes(path: Path) -> int:
    """Of a file, or of all that is below a folder."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names
    )


def stale(plan: Plan, root: Path) -> list[Leftover]:
    """Measurements of one experiment that its file does not ask for (any more): another spec, name or profiler."""
    return [_leftover(path, root, why) for path, why in _stale(plan, root)]


def _stale(plan: Plan, root: Path, nights: Nights = NO_NIGHTS) -> Iterator[tuple[Path, str]]:
    home, named = Results().experiment(plan.experiment.name), named_paths(plan)
    measured = (home.blocks, home.cost_blocks, home.work_blocks, home.looks, home.verified)
    for pattern in (*(folder("*", "*") for folder in measured), home.captures("*", "*", "*", "*")):
        for path in _own(root, pattern):
            if not (_SPEC.fullmatch(path.name) and path.is_dir()) or path.relative_to(root) in named:
                continue
            if path in nights.kept:
                yield path, "measured on a night whose figures and profiles are kept"
            elif not (path in nights.needed or nights.unknown):
                yield path, "the experiment no longer asks for it"
    for pattern in (home.processed("*", "*", "*"), home.diff("*", "*", "*", "*")):
        for path in _own(root, pattern):
            if path.is_dir() and path.relative_to(root) not in named:
                yield path, "made from what the experiment no longer asks for"


def named_paths(plan: Plan) -> set[Path]:
    """Folders of specs, processed profiles and differences that belong to the experiment as it is."""
    layout = Layout(plan)
    specs = {w.name: plan.timed_spec(w.name) for w in plan.experiment.workloads}
    paths = {place(*spec) for place in (layout.home.blocks, layout.home.looks) for spec in specs.items()}
    paths |= {*layout.cost_folders.values(), *layout.work_folders.values()}
    paths |= {layout.home.captures(c.variant, c.workload, c.profiler, c.spec) for c in plan.captures}
    return paths | set(map(Path, (*layout.processed, *layout.diffs, *layout.verified())))


def all_leftovers(
    plans: Mapping[str, Plan],
    broken: Mapping[str, str],
    root: Path,
    nights: Mapping[str, Nights] | None = None,
) -> list[Leftover]:
    """All that `fuselab clean` may remove. `plans` and `nights` by experiment; of `broken` ones everything is kept."""
    return [_leftover(path, root, why) for path, why in _left_over(plans, broken, root, nights or {})]


def _left_over(
    plans: Mapping[str, Plan], broken: Mapping[str, str], root: Path, nights: Mapping[str, Nights]
) -> Iterator[tuple[Path, str]]:
    results = Results(root)
    for name, plan in plans.items():
        yield from _stale(plan, root, nights.get(name, NO_NIGHTS))
    for name in plans:
        home = Results().experiment(name)
        for path in _own(root, home.attempts_of("*")):
            if any(path.glob(f"*/{ANEW}")):
                continue  # the next call puts back what is good in it
            if path.is_dir() and all(_NUMBER.fullmatch(entry) for entry in os.listdir(path)):
                yield path, "an attempt that failed, or was killed"
        for path in _own(root, home.unfinished_night(NIGHT)):
            if path.is_dir():
                yield path, "a night that was killed while it was kept"
        for path in _own(root, home.held("*") / "*"):
            if _HELD.fullmatch(path.name):
                yield path, "a mount that was held by hand"
    if not broken:  # a broken file may name any build
        used = {folder for plan in plans.values() for folder in plan.builds}
        for path in _own(root, Results().build("*/*")):
            if _is_build(path) and str(path.relative_to(results.builds)) not in used:
                yield path, "a build that no experiment asks for"
    for name in state.dead(results.state):
        yield results.state / name, "the state of a run that was killed"
    for path in _halves(results):
        yield path, "a file that was never finished"


def _halves(results: Results) -> Iterator[Path]:
    """Files that a killed job had begun to write. What living runs have in their state is none of ours."""
    for folder, below, names in os.walk(results.folder):
        below[:] = sorted(name for name in below if Path(folder, name) != results.state)
        for path in (Path(folder, name) for name in sorted(names) if _HALF.fullmatch(name)):
            if path.is_file() and not path.is_symlink():
                yield path


def unmarked_states(root: Path) -> list[Path]:
    """Folders that look like the state of runs of before there were marks: nobody but their owner can know."""
    locks = _own(root, Results().state / "*" / "lock")
    return [lock.parent.relative_to(root) for lock in locks if _OLD_STATE.fullmatch(lock.parent.name)]


def _own(root: Path, pattern: Path) -> list[Path]:
    """What of `pattern` lies below `root` itself: `results` may be a link to another disk, nothing below it."""
    top = Results(root).folder
    return sorted(
        path
        for path in root.glob(str(pattern))
        if not any(
            part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(top) and part != top
        )
    )


def _is_build(path: Path) -> bool:
    """One with a record, or what a killed build left: an empty folder."""
    return path.is_dir() and ((path / places.BUILD).is_file() or not any(path.iterdir()))


def _leftover(path: Path, root: Path, why: str) -> Leftover:
    return Leftover(path.relative_to(root), why, size_bytes(path))


def remove(leftovers: list[Leftover], root: Path) -> Iterator[Leftover]:
    """Remove one after the other, each yielded when it is gone; folders that are empty then go too.

    What something is mounted in stays.
    """
    for leftover in leftovers:
        path = root / leftover.path
        if path.is_dir() and not path.is_symlink():
            if mountinfo.below(path.resolve()):
                continue  # it would be emptied along with the folder
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == Results(root).folder or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()
        yield leftover
