"""The profiles of a night in compact form, and what moved from one night to another.

Kept are `profile.json`, the folded stacks and the table of each profiler: what was captured has gone by the time that a
change of level is known, and the difference of two nights can still be drawn.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fuselab.files import write_json
from fuselab.history.nights import Night
from fuselab.history.series import Change
from fuselab.profilers.difference import diff
from fuselab.records.places import PROFILE, TABLE, Home
from fuselab.records.profile import read_profile

Moved = tuple[str, str, str, str, str]
"""Variant, load, profiler, and the nights before and after: what one difference is of."""
_FOLDED = "folded*.txt"
_PACKED = ".gz"


def keep_profiles(processed: Iterable[Path], home: Home, night: Home) -> None:
    """Copy what is compact of the `processed` folders of `home`, each to the same place in that of its `night`."""
    for folder in processed:
        out = night.folder / folder.relative_to(home.folder)
        out.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(_FOLDED):
            (out / (path.name + _PACKED)).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        if (folder / TABLE).is_file():
            shutil.copyfile(folder / TABLE, out / TABLE)
        # Last, because it stands for all. Other pictures and tables are not kept: it names none.
        write_json(out / PROFILE, replace(read_profile(folder), pictures={}, units={}, tables={}))


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
            shutil.copytree(kept, out, ignore=shutil.ignore_patterns(_FOLDED + _PACKED))
            for path in kept.glob(_FOLDED + _PACKED):
                (out / path.name.removesuffix(_PACKED)).write_bytes(gzip.decompress(path.read_bytes()))
        yield before, after
