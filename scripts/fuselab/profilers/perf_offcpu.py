"""perf-offcpu: where the target's threads block, from scheduler switches with their stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fuselab.analysis import perf
from fuselab.profilers.perf_session import recording
from fuselab.profilers.base import Capability, CaptureContext, CaptureFolder, Profile, Tools, Window
from fuselab.profilers.capability import native
from fuselab.target.model import ProfilerSupport, Target


class PerfOffCpu:
    """Time off CPU by the stack that left it."""

    name = "perf-offcpu"
    title = "perf: off CPU"
    unit = "ns off CPU"
    sees = "where threads block or are preempted, with the stack that left the CPU"
    blind_to = "tasks suspended at an await: their thread has gone on to other work or is parked"
    needs_target_support = False
    workload_kinds = frozenset({"fio", "command", "criterion"})

    def capability(self, target: Target) -> Capability:
        return native(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        raise NotImplementedError
