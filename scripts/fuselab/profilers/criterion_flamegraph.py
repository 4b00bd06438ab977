"""criterion-flamegraph: a Criterion bench's own CPU profile, taken by pprof inside the bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.profilers.base import Addition, Profiler, Reading, Sight
from fuselab.workloads.criterion.kind import HOME

if TYPE_CHECKING:
    from fuselab.analysis.folded import Stacks
    from fuselab.analysis.symbols.demangle import Mangling
    from fuselab.profilers.capture import CaptureFolder


class CriterionFlamegraph(Profiler):
    """CPU samples of a bench."""

    name = "criterion-flamegraph"
    title = "Criterion: on CPU in the bench"
    unit = "samples on CPU"
    sees = "where the bench burns CPU"
    # pprof names one sample for all of a compiled function, unless the bench tells it otherwise: docs/profilers.md.
    blind_to = (
        "every wait, all that only a mounted filesystem does, and in most benches which inlined function runs"
    )
    looks_at = frozenset({"program"})
    bench_argv = ("--profile-time", "5")
    compared = (
        "by share"  # Criterion goes on for that time, and does not say how many iterations it made in it
    )
    shows = Sight(on_cpu="yes")

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.criterion import read_profiles, spelled
        from fuselab.profilers.processing import mangling_figure

        profiles = read_profiles(capture.folder / HOME)
        stacks: Stacks = {}
        manglings: set[Mangling] = set()
        for profile in profiles:
            if profile.folded is not None:
                folded, said = spelled(profile.folded)
                manglings |= said
                stacks |= {(profile.name, *stack): value for stack, value in folded.stacks.items()}
        sources = tuple(profile.flamegraph for profile in profiles if profile.flamegraph is not None)
        remarks = tuple(f"{profile.name}: {profile.reason}" for profile in profiles if profile.reason)
        figures = {"benches": len(profiles), **mangling_figure(manglings)}
        return Reading(stacks, sources, figures, remarks=remarks, sample_value=1, detail=profiles)

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        """One picture for each bench. The bench's own SVG is somebody else's program: it stays in the capture."""
        from fuselab.analysis.folded import Picture, write_folded
        from fuselab.profilers.processing import draw

        every = [profile for reading in readings for profile in reading.detail if profile.folded]
        pictures = {}
        drawn = {profile.name: profile.folded for profile in reversed(every)}
        for number, (name, folded) in enumerate(sorted(drawn.items()), 1):
            pictures[f"One bench: {name}"] = file = f"bench.{number:03d}.svg"
            draw(folded, out / file, Picture(title=f"{self.title}: {name}"))
            write_folded((out / file).with_suffix(".txt"), folded)
        return Addition(pictures=pictures)
