"""jemalloc-heap: who holds memory, from jemalloc's own sampled heap dumps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path


from fuselab.profilers.base import Capability, CaptureContext, CaptureFolder, Profile, Tools, Window, whole_run
from fuselab.profilers.capability import native
from fuselab.target.model import ProfilerSupport, Target


class JemallocHeap:
    """Live bytes by allocating stack."""

    name = "jemalloc-heap"
    title = "jemalloc: live heap"
    unit = "bytes"
    sees = "which stacks allocated the memory that is still live, sampled"
    blind_to = "CPU, waits and I/O, and memory that is not allocated through malloc"
    needs_target_support = False
    workload_kinds = frozenset({"fio", "command"})

    def capability(self, target: Target) -> Capability:
        return native(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        raise NotImplementedError
