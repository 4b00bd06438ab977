"""What moved from one night to another, drawn from what is kept of both."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuselab.history.keeping import FOLDED_FILES, PACKED
from fuselab.history.nights import Night
from fuselab.history.series import Change
from fuselab.profilers.difference import diff
from fuselab.records.places import PROFILE, Home

Moved = tuple[str, str, str, str, str]
"""Variant, load, profiler, and the nights before and after: what one difference is of."""


def moved(night: Night, home: Home, variant: str, load: str, change: Change) -> Iterator[Moved]:
    """All of which there can be a difference between the nights on either side of `change`, of the points of a curve
    each; `night` is the last, whose profilers and loads are those that are looked at."""
    before, after = change.before.night, change.last.night
    loads = {workload.name for workload in night.plan.workloads if workload.judged_as == load}
    seen = dict.fromkeys(
        (c.workload, p) for c in night.plan.captures if c.variant == variant for p in c.profilers
    )
    for workload, profiler in seen:
        places = (home.night(each).processed(variant, workload, profiler) for each in (before, after))
        if workload in loads and all((place / PROFILE).is_file() for place in places):
            yield variant, workload, profiler, before, after


def draw(each: Moved, home: Home) -> Path:
    """What moved, drawn as a report has it of two variants: the folder below `home.history_differences`."""
    variant, workload, profiler, before, after = each
    out = home.between_nights(variant).diff(after, before, workload, profiler)
    with _unpacked(home, variant, workload, profiler, (before, after)) as sides:
        diff(*sides, out)
    return out


@contextmanager
def _unpacked(
    home: Home, variant: str, workload: str, profiler: str, nights: tuple[str, str]
) -> Iterator[tuple[Path, Path]]:
    """Processed folders of both nights, which take the place of the variant: a side is told by its name."""
    with tempfile.TemporaryDirectory(prefix="fuselab-nights-") as name:
        before, after = (Home(Path(name)).processed(night, workload, profiler) for night in nights)
        for night, out in zip(nights, (before, after), strict=True):
            kept = home.night(night).processed(variant, workload, profiler)
            shutil.copytree(kept, out, ignore=shutil.ignore_patterns(FOLDED_FILES + PACKED))
            for path in kept.glob(FOLDED_FILES + PACKED):
                (out / path.name.removesuffix(PACKED)).write_bytes(gzip.decompress(path.read_bytes()))
        yield before, after
