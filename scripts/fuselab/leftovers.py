"""What lies below `results/` that no experiment names any more, and what failed or killed runs left."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.experiment.plan import Plan
from fuselab.layout import Layout


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
    home = root / "results" / plan.experiment.name
    named = named_paths(plan)
    found = []
    for pattern in ("blocks/*/*", "captures/*/*/*/*", "costs/*/*", "looks/*/*", "verify/*/*"):
        for path in sorted(home.glob(pattern)):
            if path.is_dir() and path.relative_to(root) not in named:
                found.append(_leftover(path, root, "the experiment no longer asks for it"))
    for path in sorted([*home.glob("processed/*/*/*"), *home.glob("diffs/*/*/*")]):
        if path.relative_to(root) not in named:
            found.append(_leftover(path, root, "made from what the experiment no longer asks for"))
    return found


def named_paths(plan: Plan) -> set[Path]:
    """Folders of specs, processed profiles and differences that belong to the experiment as it is."""
    e = plan.experiment
    home = Path("results") / e.name
    paths = {
        home / kind / w.name / plan.timed_spec(w.name) for w in e.workloads for kind in ("blocks", "looks")
    }
    paths |= {Path(block).parent for block in Layout(plan).cost_blocks}
    paths |= {home / "captures" / c.variant / c.workload / c.profiler / c.spec for c in plan.captures}
    paths |= {home / "processed" / v / w / p for v, w, p in plan.processed()}
    paths |= {home / "diffs" / f"{c.variant}-vs-{c.baseline}" / w / p for c, w, p in plan.diffs()}
    return paths | {home / "verify" / name / plan.verify_spec(name) for name in plan.verified}


def every_leftover(plans: Mapping[str, Plan], broken: Mapping[str, str], root: Path) -> list[Leftover]:
    """All that `fuselab clean` may remove. `plans` by experiment; of `broken` ones everything is kept."""
    results = root / "results"
    found = [leftover for plan in plans.values() for leftover in stale(plan, root)]
    for name in plans:
        for path in sorted((results / name / "attempts").glob("*")):
            found.append(_leftover(path, root, "an attempt that failed, or was killed"))
        for path in sorted((results / name / "held").glob("*/*")):
            found.append(_leftover(path, root, "a mount that was held by hand"))
    if not broken:  # a broken file may name any build
        used = {folder for plan in plans.values() for folder in (*plan.builds, *plan.bench_builds)}
        for path in sorted(results.glob("builds/*/*")):
            if path.is_dir() and str(path.relative_to(results / "builds")) not in used:
                found.append(_leftover(path, root, "a build that no experiment asks for"))
    for path in _dead_states(results / "state"):
        found.append(_leftover(path, root, "the state of a run that was killed"))
    for path in sorted(results.rglob(".*.half")):
        found.append(_leftover(path, root, "a file that was never finished"))
    return found


def _dead_states(folder: Path) -> Iterator[Path]:
    """State folders whose lock nobody holds: the kernel drops it with the run."""
    for lock in sorted(folder.glob("*/lock")):
        with lock.open() as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield lock.parent


def _leftover(path: Path, root: Path, why: str) -> Leftover:
    return Leftover(path.relative_to(root), why, size_bytes(path))


def remove(leftovers: list[Leftover], root: Path) -> Iterator[Leftover]:
    """Remove one after the other, each yielded when it is gone; folders that are empty then go too."""
    for leftover in leftovers:
        path = root / leftover.path
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == root / "results" or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()
        yield leftover


@contextmanager
def alone(root: Path) -> Iterator[bool]:
    """Whether no snakemake of this checkout lives (it holds a shared flock); none can begin to while inside."""
    folder = root / ".snakemake"
    folder.mkdir(exist_ok=True)
    with (folder / "fuselab.flock").open("a") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
