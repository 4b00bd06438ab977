"""trace-chrome: every span with its start and end, by the program's own tracing-chrome layer."""

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


class TraceChrome:
    """Wall time of spans."""

    name = "trace-chrome"
    title = "tracing-chrome: spans"
    unit = "ns of span wall time"
    sees = "every span with its start and end, waits and queueing included"
    blind_to = "anything that the program does not wrap in a span"
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
