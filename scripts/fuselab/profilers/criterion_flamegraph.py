"""criterion-flamegraph: a Criterion bench's own CPU profile, taken by pprof inside the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import (
    Capability,
    CaptureContext,
    CaptureFolder,
    Tools,
    Window,
    whole_run,
)
from fuselab.profilers.capability import described
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target
from fuselab.workloads.criterion.kind import HOME


class CriterionFlamegraph:
    """CPU samples of a bench."""

    name = "criterion-flamegraph"
    title = "Criterion: on CPU in the bench"
    unit = "ns on CPU"
    sees = "where the bench burns CPU"
    blind_to = "every wait, and all that only a mounted filesystem does"
    grows_with_load = True
    needs_target_support = True
    looks_at = frozenset({"program"})
    written_by_target = False

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def equip(self, folder: Path) -> None:
        return None

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from fuselab.analysis.criterion import BenchProfile, read_profiles, spelled
        from fuselab.analysis.folded import Picture, Stacks, flamegraph
        from fuselab.analysis.symbols.demangle import Mangling
        from fuselab.profilers.output import Extras, Reading, mangling_figure, profile_of

        found: list[BenchProfile] = []

        def read(capture: CaptureFolder) -> Reading:
            profiles = read_profiles(capture.folder / HOME)
            found.extend(profiles)
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
            return Reading(stacks, sources, figures, remarks=remarks)

        def extras() -> Extras:
            """One picture for each bench. The bench's own SVG is somebody else's program: it stays in the capture."""
            pictures = {}
            drawn = {profile.name: profile.folded for profile in reversed(found) if profile.folded}
            for number, (name, folded) in enumerate(sorted(drawn.items()), 1):
                file = f"bench.{number:03d}.svg"
                flamegraph(
                    tools.inferno_flamegraph, folded, out / file, Picture(title=f"{self.title}: {name}")
                )
                pictures[f"One bench: {name}"] = file
            return Extras(pictures=pictures)

        return profile_of(self, captures, out, tools, read, extras)
