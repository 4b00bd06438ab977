"""tokio-console: what each task did, recorded by console-subscriber without a terminal."""

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


class TokioConsole:
    """Busy, scheduled and idle time of tasks."""

    name = "tokio-console"
    title = "tokio-console: tasks"
    unit = "ns of task time"
    sees = "for each task: polls, busy, scheduled and idle time, wakes"
    blind_to = "what a task does inside a poll, and anything outside the runtime"
    grows_with_load = True
    needs_target_support = True
    workload_kinds = frozenset({"fio", "command"})

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return {}

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return whole_run()

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        raise NotImplementedError
