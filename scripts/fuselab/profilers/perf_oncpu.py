"""perf-oncpu: where the target's threads burn CPU, sampled by perf in the measured window only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.analysis import perf
from fuselab.profilers.perf_session import recording
from fuselab.profilers.base import Capability, CaptureContext, CaptureFolder, Profile, Tools, Window
from fuselab.profilers.capability import native
from fuselab.target.model import ProfilerSupport, Target


class PerfOnCpu:
    """Samples of CPU time."""

    name = "perf-oncpu"
    title = "perf: on CPU"
    unit = "ns on CPU"
    sees = "where threads run, in the program, its libraries and the kernel"
    blind_to = "every wait: a thread or task that does not run is never sampled"
    needs_target_support = False
    workload_kinds = frozenset({"fio", "command", "criterion"})

    def capability(self, target: Target) -> Capability:
        return native(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        raise NotImplementedError
