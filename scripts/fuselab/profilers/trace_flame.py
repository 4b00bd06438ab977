"""trace-flame: time that threads spent inside spans, by the program's own tracing-flame layer."""

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


class TraceFlame:
    """Poll time of spans."""

    name = "trace-flame"
    title = "tracing-flame: poll time"
    unit = "ns of poll time"
    sees = "time a thread spent inside each span"
    blind_to = "time suspended at an await: no thread is inside the span then"
    grows_with_load = True
    needs_target_support = True
    workload_kinds = frozenset({"fio", "command", "criterion"})

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        raise NotImplementedError
