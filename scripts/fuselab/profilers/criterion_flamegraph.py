"""criterion-flamegraph: a Criterion bench's own CPU profile, taken by pprof inside the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.profilers.base import (
    Capability,
    CaptureContext,
    CaptureFolder,
    Profile,
    Tools,
    Window,
    whole_run,
)
from fuselab.profilers.capability import described
from fuselab.target.model import ProfilerSupport, Target
from fuselab.workloads.criterion import HOME


class CriterionFlamegraph:
    """CPU samples of a bench."""

    name = "criterion-flamegraph"
    title = "Criterion: on CPU in the bench"
    unit = "ns on CPU"
    sees = "where the bench burns CPU"
    blind_to = "every wait, and all that only a mounted filesystem does"
    grows_with_load = True
    needs_target_support = True
    workload_kinds = frozenset({"criterion"})

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        from collections import Counter

        from fuselab.analysis.folded import read_folded
        from fuselab.analysis.refusal import Refusal
        from fuselab.profilers.output import Extras, Reading, profile_of

        def graphs(capture: CaptureFolder) -> list[Path]:
            return sorted(capture.folder.rglob("profile/flamegraph.svg"))

        def read(capture: CaptureFolder) -> Reading:
            stacks: Counter[tuple[str, ...]] = Counter()
            sources = sorted(capture.folder.rglob("profile/folded.txt"))
            for path in sources:
                bench = path.parent.parent.relative_to(capture.folder / HOME)
                for stack, value in read_folded(path, self.unit).stacks.items():
                    stacks[str(bench), *stack] += value
            if not graphs(capture):
                raise Refusal(
                    "Criterion left no profile/flamegraph.svg.",
                    "Set the variable that switches the bench's pprof profiler on in target.yaml (env of "
                    "criterion-flamegraph), and let the bench run through Criterion's profiler.",
                )
            if not stacks:
                raise Refusal(
                    "The bench left its SVG, but no stack: it was not sampled, or it leaves no profile/folded.txt.",
                    "Let the bench run longer (`args: [--profile-time, 5]`), and write pprof's report as folded lines "
                    "beside the SVG.",
                )
            return Reading(dict(stacks), tuple(sources))

        def extras() -> Extras:
            pictures = {}
            for number, path in enumerate(graphs(captures[0]), 1):
                bench = path.parent.parent.relative_to(captures[0].folder / HOME)
                (out / f"bench.{number:03d}.svg").write_bytes(path.read_bytes())
                pictures[f"Criterion's own: {bench}"] = f"bench.{number:03d}.svg"
            return Extras(pictures=pictures)

        return profile_of(self, captures, out, tools, read, extras)
