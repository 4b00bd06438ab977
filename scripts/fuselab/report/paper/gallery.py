"""Every figure of a report in a row, for those who save them: those drawn here, and those that are files already."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.programs import tool
from fuselab.records.places import DIFF_FLAMEGRAPH, DIFF_FOLDED, FLAMEGRAPH, FOLDED
from fuselab.report.figures.base import WIDE_IN
from fuselab.report.figures.drawing import Drawing
from fuselab.report.page import because, blindspots, costs, curves, distributions, ratios, together
from fuselab.report.reading import Results


@dataclass(frozen=True)
class PictureFile:
    """A flamegraph, or another picture of a profile."""

    name: str
    """Where it stands in a bundle, without its ending."""
    title: str
    svg: Path
    stacks: Path | None
    """What it was drawn from: folded stacks, two values a line in a difference."""


def gallery(results: Results) -> Iterator[Drawing]:
    """In the order of the page."""
    if draws := ratios.draws(results):
        yield draws("ratios", width_in=WIDE_IN)
    yield from because.drawings(results)
    yield from curves.drawings(results)
    for _, drawings in (*distributions.block_drawings(results), *distributions.run_drawings(results)):
        yield from drawings
    yield from blindspots.drawings(results)
    for profiler in results.plan.profilers:
        for workload in results.plan.workloads:
            yield from together.drawings(results, profiler.name, workload.name)
    if draws := costs.draws(results):
        yield draws("costs", width_in=WIDE_IN)


def pictures(results: Results) -> Iterator[PictureFile]:
    """Of each profiler in turn: every variant's, then the differences."""
    for profiler in results.plan.profilers:
        for (variant, workload, name), processed in results.profiles.items():
            if name == profiler.name:
                files = {profiler.title: FLAMEGRAPH} | dict(processed.profile.pictures)
                for title, file in files.items():
                    place = f"flamegraphs/{variant}.{workload}.{name}.{Path(file).stem}"
                    said = f"{title}: {variant}, {workload}"
                    yield from _present(place, said, processed.folder / file, processed.folder / FOLDED)
        for (contrast, workload, name), diff in results.diffs.items():
            if name == profiler.name:
                place, said = (
                    f"flamegraphs/{contrast}.{workload}.{name}",
                    f"{profiler.title}: {contrast}, {workload}",
                )
                yield from _present(place, said, diff.picture, diff.folder / DIFF_FOLDED)


def _present(place: str, title: str, svg: Path, stacks: Path) -> Iterator[PictureFile]:
    if svg.is_file():
        drawn = stacks if svg.name in (FLAMEGRAPH, DIFF_FLAMEGRAPH) and stacks.is_file() else None
        yield PictureFile(place, title, svg, drawn)


def as_pdf(svg: Path) -> bytes:
    """The picture as it looks before anybody has clicked, text as text. Raises RuntimeError with what was said."""
    done = subprocess.run(
        [tool("rsvg-convert"), "--format=pdf", "--unlimited", str(svg)], capture_output=True, check=False,
        env={"SOURCE_DATE_EPOCH": "0"},
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(
            f"rsvg-convert cannot draw {svg}: {done.stderr.decode(errors='replace').strip()[-300:]}"
        )
    return done.stdout
