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
        import pyarrow.parquet as pq

        from fuselab.analysis.tasks import read_tasks, task_stacks, write_tasks
        from fuselab.profilers.output import Extras, Reading, only_file, profile_of

        def read(capture: CaptureFolder) -> Reading:
            recording = only_file(capture, self.name)
            found = read_tasks(recording)
            write_tasks(out / f"tasks.{capture.repeat:03d}.parquet", found.tasks)
            figures = {
                "tasks": len(found.tasks),
                "polls": sum(task.polls for task in found.tasks),
                "wakes": sum(task.wakes for task in found.tasks),
                "self_wakes": sum(task.self_wakes for task in found.tasks),
                "recording_bytes": recording.stat().st_size,
            }
            lints = sorted({lint for task in found.tasks for lint in task.lints.split(",") if lint})
            remarks = tuple(
                f"Lint {lint}: {sum(lint in task.lints.split(',') for task in found.tasks)} tasks."
                for lint in lints
            )
            return Reading(task_stacks(found.tasks).stacks, (recording,), figures, found.notes(), remarks)

        def extras() -> Extras:
            # What queries read: the first capture's.
            (out / "tasks.parquet").hardlink_to(out / f"tasks.{captures[0].repeat:03d}.parquet")
            return Extras(table=pq.read_table(out / "tasks.parquet"))

        return profile_of(self, captures, out, tools, read, extras)
