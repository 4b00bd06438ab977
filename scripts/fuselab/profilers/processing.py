"""From captures to what every processed folder holds, whichever profiler looked: stacks, a flamegraph, a table.

Imported by processing only: what is behind it is heavy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fuselab.analysis.folded import Folded, Picture, flamegraph, functions, merged, safe, scaled, write_folded
from fuselab.analysis.quality import Quality
from fuselab.errors import ProfileError, UnavailableError
from fuselab.profilers.base import Figures, Profiler, Reading
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.notes import said_once
from fuselab.profilers.observing import observed_figures, observer_notes
from fuselab.profilers.perf_session import PERF
from fuselab.programs import tool
from fuselab.records.places import FLAMEGRAPH, FOLDED, TABLE
from fuselab.records.profile import Profile, Status

MANGLING = "rust_mangling"
"""The figure that says how Rust functions are mangled: two profiles that differ in it are compared by `spelling`."""
_ROOT = Path(__file__).parents[3]


def process_captures(profiler: Profiler, captures: Sequence[CaptureFolder], out: Path) -> Profile:
    """Read every capture, write folded.txt, folded.<repeat>.txt, flamegraph.svg and table.parquet into `out`, and say
    what they are worth.

    Never raises for what a capture holds: of one that says nothing there is no picture, and the profile says why.
    """
    try:
        readings = [profiler.read(capture, out) for capture in captures]
        sides = [safe(Folded(reading.stacks, profiler.unit)) for reading in readings]
        whole = merged(sides)
        if whole and profiler.compared == "as it is":
            whole = scaled(whole, 1 / len(sides))
        subtitle = f"{len(sides)} capture(s), {whole.total:,} {profiler.unit}"
        nothing = () if whole else tuple(filter(None, (reading.nothing for reading in readings)))[:1]
        if not nothing:
            draw(whole, out / FLAMEGRAPH, Picture(title=profiler.title, subtitle=subtitle))
        for path in out.glob(captures[0].numbered("*.*")):
            (out / captures[0].plain(path.name)).hardlink_to(path)
        added = profiler.add(captures, readings, out)
    except ProfileError as error:
        # Of a run that failed the failure is said first, and this beside it.
        unavailable = isinstance(error, UnavailableError) and all(each.ended_in_order() for each in captures)
        status: Status = "unavailable" if unavailable else "refused"
        return without_picture(profiler, len(captures), error.reason, error.fix, status)
    for capture, side in zip(captures, sides, strict=True):
        write_folded(out / capture.numbered(FOLDED), side)
    write_folded(out / FOLDED, whole)
    pq.write_table(_function_table(whole) if added.table is None else added.table, out / TABLE)
    caveats = (*said_once([reading.notes for reading in readings]), *observer_notes(captures), *added.notes)
    return Profile(
        profiler=profiler.name,
        status="limited" if caveats else "ok",
        unit=profiler.unit,
        total=whole.total,
        captures=len(captures),
        operations=sum(capture.operations for capture in captures),
        bytes=sum(capture.bytes for capture in captures),
        source_files=tuple(str(path) for reading in readings for path in reading.sources),
        operations_by_capture=tuple(capture.operations for capture in captures),
        bytes_by_capture=tuple(capture.bytes for capture in captures),
        sample_value=max(reading.sample_value for reading in readings),
        tool_versions=_versions(profiler),
        notes=(*caveats, *nothing, *said_once([reading.remarks for reading in readings])),
        figures={**_mean_figures(readings), **observed_figures(captures)},
        findings=added.findings,
        pictures=added.pictures,
        units=added.units,
        tables=added.tables,
    )


def draw(folded: Folded, out: Path, picture: Picture) -> None:
    flamegraph(tool("inferno-flamegraph"), folded, out, picture)


def quality_figures(quality: Quality, manglings: Iterable[str]) -> Figures:
    return {
        "whole_stack_share": round(quality.whole_stack_share, 4),
        "named_frame_share": round(quality.named_frame_share, 4),
        **mangling_figure(manglings),
    }


def mangling_figure(manglings: Iterable[str]) -> Figures:
    said = ", ".join(sorted(manglings))
    return {MANGLING: said} if said else {}


def without_picture(
    profiler: Profiler, captures: int, reason: str, fix: str = "", status: Status = "refused"
) -> Profile:
    return Profile(
        profiler=profiler.name,
        status=status,
        unit=profiler.unit,
        total=0,
        captures=captures,
        operations=0,
        bytes=0,
        source_files=(),
        notes=(reason,),
        fix=fix,
    )


def _function_table(folded: Folded) -> pa.Table:
    """Columns function, self, total (in the profile's unit), largest self first."""
    shares = sorted(functions(folded).items(), key=lambda item: (-item[1].self_value, item[0]))
    return pa.table(
        {
            "function": [name for name, _ in shares],
            "self": pa.array([share.self_value for _, share in shares], pa.int64()),
            "total": pa.array([share.total_value for _, share in shares], pa.int64()),
        }
    )


def _mean_figures(readings: Sequence[Reading]) -> Figures:
    """Shares and errors averaged over captures, counts and times added up, texts of the first."""
    figures: dict[str, float | int | str] = {}
    for name, first in readings[0].figures.items():
        values = [reading.figures.get(name, first) for reading in readings]
        numbers = [value for value in values if isinstance(value, int | float)]
        if len(numbers) < len(values):
            figures[name] = first
        elif name.endswith(("_share", "_error", "_bytes")):
            figures[name] = sum(numbers) / len(numbers)
        else:
            figures[name] = sum(numbers)
    return figures


def _versions(profiler: Profiler) -> dict[str, str]:
    """Of the programs that read and drew: inferno has no option that prints its version, so its pin is told."""
    versions = {}
    if PERF in profiler.programs:
        argv = [tool(PERF.name), *PERF.version]
        versions[PERF.name] = subprocess.run(
            argv, capture_output=True, text=True, timeout=20, check=False
        ).stdout.strip()
    ours = Path(tool("inferno-flamegraph")).parent == Path(sys.executable).parent
    return {**versions, "inferno": _pinned("inferno") if ours else "unknown"}


def _pinned(crate: str) -> str:
    """The version in `envs/cargo-tools.txt`, which is what `make setup` has put beside our Python."""
    lines = (_ROOT / "envs" / "cargo-tools.txt").read_text().splitlines()
    return next((words[1] for line in lines if (words := line.split())[:1] == [crate]), "unknown")
