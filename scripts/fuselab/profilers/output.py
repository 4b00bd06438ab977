"""What every processed folder holds, whichever profiler looked: folded stacks, a flamegraph, a table, a verdict.

Imported by processing only: analysis behind it is heavy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fuselab.analysis.folded import (
    Folded,
    Picture,
    Stacks,
    flamegraph,
    functions,
    merged,
    safe,
    scaled,
    write_folded,
)
from fuselab.analysis.quality import Quality
from fuselab.errors import ProfileError, UnavailableError
from fuselab.profilers.base import CaptureFolder, Profiler, Tools
from fuselab.profilers.notes import said_once
from fuselab.profilers.observing import observed_figures, observer_notes
from fuselab.records.profile import Profile

Figures = Mapping[str, float | int | str]
_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Reading:
    """What one capture says."""

    stacks: Stacks
    sources: tuple[Path, ...]
    """The raw files it was read from."""
    figures: Figures = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Caveats: a reading with any is *limited*."""
    remarks: tuple[str, ...] = ()
    """What a reader should know that takes nothing from the picture."""
    sample_value: float = 0.0
    """What one sample stands for, in the profiler's unit; 0 where everything is counted."""
    nothing: str = ""
    """What it means that no capture has a stack; "" where that cannot be true, and is refused."""


@dataclass(frozen=True)
class Extras:
    """What a profiler adds to the common files. Titles -> file names in the processed folder."""

    pictures: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Caveats that hold for all captures together."""
    table: pa.Table | None = None
    """Replaces the table of functions as table.parquet."""


def profile_of(
    profiler: Profiler,
    captures: Sequence[CaptureFolder],
    out: Path,
    tools: Tools,
    read: Callable[[CaptureFolder], Reading],
    extras: Callable[[], Extras] = Extras,
) -> Profile:
    """Read every capture, write the common files into `out`, and say what they are worth.

    `read` may raise ProfileError: then there is no picture, and the profile says why. `extras` is called after the
    last reading.
    """
    try:
        readings = [read(capture) for capture in captures]
        sides = [safe(Folded(reading.stacks, profiler.unit)) for reading in readings]
        whole = merged(sides)
        if not profiler.grows_with_load:
            whole = scaled(whole, 1 / len(sides)) if whole else whole
        picture = Picture(
            title=profiler.title, subtitle=f"{len(sides)} capture(s), {whole.total:,} {profiler.unit}"
        )
        nothing = () if whole else tuple(filter(None, (reading.nothing for reading in readings)))[:1]
        if not nothing:
            flamegraph(tools.inferno_flamegraph, whole, out / "flamegraph.svg", picture)
        added = extras()
    except ProfileError as refusal:
        return refusal_of(profiler, captures, refusal)
    for capture, side in zip(captures, sides, strict=True):
        write_folded(out / f"folded.{capture.repeat:03d}.txt", side)
    write_folded(out / "folded.txt", whole)
    pq.write_table(function_table(whole) if added.table is None else added.table, out / "table.parquet")
    taken = observer_notes(captures)
    notes = said_once([reading.notes for reading in readings])
    notes += (*taken, *added.notes)
    return Profile(
        profiler=profiler.name,
        status="limited" if notes else "ok",
        unit=profiler.unit,
        total=whole.total,
        captures=len(captures),
        operations=sum(capture.operations for capture in captures),
        bytes=sum(capture.bytes for capture in captures),
        source_files=tuple(str(path) for reading in readings for path in reading.sources),
        operations_by_capture=tuple(capture.operations for capture in captures),
        bytes_by_capture=tuple(capture.bytes for capture in captures),
        tool_versions=versions(tools),
        notes=(
            *notes,
            *nothing,
            *said_once([reading.remarks for reading in readings]),
        ),
        sample_value=max(reading.sample_value for reading in readings),
        figures={**_mean_figures(readings), **observed_figures(captures)},
        pictures=added.pictures,
        tables=added.tables,
    )


def files_of(capture: CaptureFolder, profiler: str) -> tuple[Path, ...]:
    """The raw files of `profiler`, all that fit its `files`. Raises ProfileError if it left none."""
    files = capture.left_by(profiler)
    if not files:
        last = next((line for line in reversed(capture.log().splitlines()) if line.strip()), "")
        raise ProfileError(
            f"{profiler} left no file." + (f" The target's log ends with: {last[:300]}" if last else ""),
            "Look at `env`, `argv` and `files` of this profiler in target.yaml, and at the build's `features` and "
            "`rustflags`.",
        )
    return tuple(files)


def refusal_of(profiler: Profiler, captures: Sequence[CaptureFolder], refusal: ProfileError) -> Profile:
    return Profile(
        profiler=profiler.name,
        status="unavailable" if isinstance(refusal, UnavailableError) else "refused",
        unit=profiler.unit,
        total=0,
        captures=len(captures),
        operations=0,
        bytes=0,
        source_files=(),
        notes=(refusal.reason,),
        fix=refusal.fix,
    )


def function_table(folded: Folded) -> pa.Table:
    """Columns function, self, total (in the profile's unit), largest self first."""
    shares = sorted(functions(folded).items(), key=lambda item: (-item[1].self_value, item[0]))
    return pa.table(
        {
            "function": [name for name, _ in shares],
            "self": pa.array([share.self_value for _, share in shares], pa.int64()),
            "total": pa.array([share.total_value for _, share in shares], pa.int64()),
        }
    )


MANGLING = "rust_mangling"
"""The figure that says how Rust functions are mangled: two profiles that differ in it are compared by `spelling`."""


def quality_figures(quality: Quality, manglings: Iterable[str]) -> Figures:
    return {
        "whole_stack_share": round(quality.whole_stack_share, 4),
        "named_frame_share": round(quality.named_frame_share, 4),
        **mangling_figure(manglings),
    }


def mangling_figure(manglings: Iterable[str]) -> Figures:
    said = ", ".join(sorted(manglings))
    return {MANGLING: said} if said else {}


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


def versions(tools: Tools) -> dict[str, str]:
    """Of the programs that drew and read: inferno has no option that prints its version, so its pin is told."""
    done = subprocess.run([tools.perf, "--version"], capture_output=True, text=True, timeout=20, check=False)
    ours = Path(tools.inferno_flamegraph).parent == Path(sys.executable).parent
    return {"perf": done.stdout.strip(), "inferno": _pinned("inferno") if ours else "unknown"}


def _pinned(crate: str) -> str:
    """The version in `envs/cargo-tools.txt`, which is what `make setup` has put beside our Python."""
    lines = (_ROOT / "envs" / "cargo-tools.txt").read_text().splitlines()
    return next((words[1] for line in lines if (words := line.split())[:1] == [crate]), "unknown")
