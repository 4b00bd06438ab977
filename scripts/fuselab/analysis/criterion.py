"""The CPU profile that a Criterion bench takes of itself (`--profile-time`), one for each bench.

Criterion leaves it in `<folder of the bench>/profile/`. pprof writes `flamegraph.svg` there, and nothing into it if it
caught no sample. inferno, which draws it, keeps each
frame's exact extent in samples (`fg:x`, `fg:w`), so the stacks can be had back from the picture: a frame's parent
is the one below that spans it, its own samples are those that none above it covers. Frames narrower than
inferno's `--minwidth` (0.01 %) are not in the picture; their samples are their parent's here.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from fuselab import foreign
from fuselab.analysis.folded import Folded, renamed, safe_frame
from fuselab.analysis.symbols.demangle import Mangling, rust_spelling, spoken_mangling
from fuselab.analysis.symbols.labels import thread_frame
from fuselab.errors import ProfileError

SAMPLES_UNIT = "samples on CPU"
_FG = "{http://github.com/jonhoo/inferno}"
_SVG = "{http://www.w3.org/2000/svg}"
_TITLE = re.compile(r"^(?P<name>.*) \([\d,]+ [^()]*, [\d.]+%.*\)$", re.DOTALL)
_ROOT = "all"
_NO_SAMPLES = (
    "Let the bench profile itself for longer, or profile one that uses the CPU: waits leave no sample."
)


@dataclass(frozen=True)
class BenchProfile:
    """One bench's profile. `folded` is None where there is none, and `reason` says why."""

    name: str
    """The bench's full id, as it wrote it."""
    flamegraph: Path | None
    folded: Folded | None
    reason: str = ""


def read_profiles(home: Path) -> tuple[BenchProfile, ...]:
    """Every profile below `home` (CRITERION_HOME), by name.

    Raises ProfileError if there is none, or if no bench left a sample.
    """
    found = sorted(path.parent for path in home.rglob("flamegraph.svg"))
    folders = [folder for folder in found if folder.name == "profile"]
    if not folders:
        raise ProfileError(
            "The bench left no profile.",
            "Give Criterion a profiler (pprof's PProfProfiler) that the bench switches on by a variable, and name that "
            "in `env` of criterion-flamegraph in target.yaml: {MYFS_BENCH_FLAMEGRAPH: 1}. fuselab adds --profile-time.",
        )
    profiles = tuple(sorted((_read(folder, home) for folder in folders), key=lambda profile: profile.name))
    if not any(profile.folded for profile in profiles):
        raise ProfileError(f"No sample was taken in any of {len(profiles)} benches.", _NO_SAMPLES)
    return profiles


def _read(folder: Path, home: Path) -> BenchProfile:
    name = _name(folder.parent, home)
    picture = folder / "flamegraph.svg"
    drawn = picture if picture.is_file() and picture.stat().st_size else None
    try:
        return BenchProfile(name, drawn, stacks_of_flamegraph(picture))
    except (ProfileError, ValueError) as error:
        return BenchProfile(name, drawn, None, str(error))


def spelled(folded: Folded) -> tuple[Folded, set[Mangling]]:
    """Threads and Rust functions as other profilers spell them, and how these were mangled.

    pprof has demangled them by itself, and begins each stack of its pictures with the thread: its name is the
    program's, with cargo's hash.
    """
    frames = {frame for stack in folded.stacks for frame in stack if "::" in frame}
    manglings = {found for frame in frames if (found := spoken_mangling(frame))}
    names = {frame: rust_spelling(frame) for frame in frames if "operator" not in frame}
    names |= {stack[0]: thread_frame(stack[0]) for stack in folded.stacks}
    return renamed(folded, names), manglings


def _name(bench: Path, home: Path) -> str:
    """The id from benchmark.json, which a run that only profiles does not write: then the folders' names."""
    for measured in ("new", "base"):
        path = bench / measured / "benchmark.json"
        if path.is_file():
            return foreign.name(json.loads(path.read_text())["full_id"])
    return str(bench.relative_to(home))


@dataclass(frozen=True)
class _Frame:
    name: str
    start: int
    width: int
    height: float

    @property
    def end(self) -> int:
        return self.start + self.width


def stacks_of_flamegraph(svg: Path) -> Folded:
    """The stacks behind a picture by inferno 0.10 or later; samples.

    Raises ProfileError for an empty picture, and ValueError for one that does not hold exact extents or whose frames
    do not nest.
    """
    if svg.stat().st_size == 0:
        raise ProfileError(f"{svg.name} is empty: no sample was taken.", _NO_SAMPLES)
    frames = _frames(svg)
    if not frames:
        raise ValueError(
            f"{svg.name} does not say how many samples its frames have: redraw it with inferno >= 0.10"
        )
    by_height: dict[float, list[_Frame]] = {}
    for frame in sorted(frames, key=lambda frame: frame.start):
        by_height.setdefault(frame.height, []).append(frame)
    root = max(frames, key=lambda frame: (frame.width, frame.name == _ROOT))
    # The root is at the bottom of a flamegraph and at the top of an icicle graph.
    levels = sorted(by_height, key=lambda height: abs(height - root.height))[1:]
    stacks: Counter[tuple[str, ...]] = Counter({(): root.width})
    below: list[tuple[_Frame, tuple[str, ...]]] = [(root, ())]
    for height in levels:
        below = [(frame, _stacked(frame, below, stacks, svg)) for frame in by_height[height]]
    if wide := next((stack for stack, value in stacks.items() if value < 0), None):
        raise ValueError(f"{svg.name}: the frames over {(wide or (_ROOT,))[-1]!r} are wider than it is")
    return Folded({stack: value for stack, value in stacks.items() if value and stack}, SAMPLES_UNIT)


def _stacked(
    frame: _Frame,
    below: Sequence[tuple[_Frame, tuple[str, ...]]],
    stacks: Counter[tuple[str, ...]],
    svg: Path,
) -> tuple[str, ...]:
    """The stack of a frame, which takes its samples from the one below that spans it."""
    at = bisect_right(below, frame.start, key=lambda item: item[0].start) - 1
    parent, stack = below[max(at, 0)]
    if at < 0 or frame.start >= parent.end:
        raise ValueError(f"{svg.name}: the frame {frame.name!r} lies over nothing")
    if frame.end > parent.end:
        raise ValueError(f"{svg.name}: the frame {frame.name!r} lies over two others")
    stacks[stack] -= frame.width
    stacks[*stack, safe_frame(frame.name)] += frame.width
    return (*stack, safe_frame(frame.name))


def _frames(svg: Path) -> list[_Frame]:
    """Rectangles with a title. Raises ValueError if the file is no XML."""
    try:
        tree = ElementTree.parse(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"{svg.name} is no SVG: {error}") from None
    frames = []
    for group in tree.iter(f"{_SVG}g"):
        title, rectangle = group.find(f"{_SVG}title"), group.find(f"{_SVG}rect")
        if title is None or rectangle is None or f"{_FG}w" not in rectangle.attrib:
            continue
        text = title.text or ""
        match = _TITLE.match(text)
        extent = rectangle.attrib
        name = match["name"] if match else text
        frames.append(_Frame(name, int(extent[f"{_FG}x"]), int(extent[f"{_FG}w"]), float(extent["y"])))
    return frames
