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


class CriterionFlamegraph:
    """CPU samples of a bench."""

    name = "criterion-flamegraph"
    title = "Criterion: on CPU in the bench"
    unit = "samples on CPU"
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
        raise NotImplementedError
