"""tokio-console: what each task did, recorded by console-subscriber without a terminal.

The recording has every event but not where a task was spawned: that is asked of the live console, once
(`console_live`).
"""

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
)
from fuselab.profilers.capability import described
from fuselab.profilers.console_live import PROMPT, REASON, STATE, asked_at_the_end
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport, Target


class TokioConsole:
    """Busy, scheduled and idle time of tasks."""

    name = "tokio-console"
    title = "tokio-console: tasks"
    unit = "ns of task time"
    sees = "for each task: polls, busy, scheduled and idle time, wakes"
    blind_to = "what a task does inside a poll, and anything outside the runtime"
    grows_with_load = True
    needs_target_support = True
    looks_at = frozenset({"mount"})
    written_by_target = True

    def capability(self, target: Target) -> Capability:
        return described(self.name, target)

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return PROMPT

    def equip(self, folder: Path) -> None:
        return None

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return asked_at_the_end(context)

    def process(self, captures: Sequence[CaptureFolder], out: Path, tools: Tools) -> Profile:
        import pyarrow.parquet as pq

        from fuselab.analysis.tokio.state import read_state
        from fuselab.analysis.tokio.tasks import never_woken, read_recordings, task_stacks, write_tasks
        from fuselab.profilers.output import Extras, Reading, files_of, profile_of

        def read(capture: CaptureFolder) -> Reading:
            recordings = files_of(capture, self.name)
            live = capture.raw(STATE)
            state = read_state(live) if live.is_file() else None
            found = read_recordings(recordings, state)
            write_tasks(out / f"tasks.{capture.repeat:03d}.parquet", found.tasks)
            figures = {
                "tasks": len(found.tasks),
                "polls": sum(task.polls for task in found.tasks),
                "wakes": sum(task.wakes for task in found.tasks),
                "self_wakes": sum(task.self_wakes for task in found.tasks),
                "recording_bytes": sum(path.stat().st_size for path in recordings),
            }
            lints = sorted({lint for task in found.tasks for lint in task.lints.split(",") if lint})
            remarks = tuple(
                f"Lint {lint}: {sum(lint in task.lints.split(',') for task in found.tasks)} tasks."
                for lint in lints
            )
            if capture.hung():
                remarks += (never_woken(found.waiting),)
            remarks += state.remarks() if state else (_no_state(capture),)
            sources = (*recordings, live) if state else recordings
            return Reading(task_stacks(found.tasks).stacks, sources, figures, found.notes(), remarks)

        def extras() -> Extras:
            # What queries read: the first capture's.
            (out / "tasks.parquet").hardlink_to(out / f"tasks.{captures[0].repeat:03d}.parquet")
            return Extras(table=pq.read_table(out / "tasks.parquet"))

        return profile_of(self, captures, out, tools, read, extras)


def _no_state(capture: CaptureFolder) -> str:
    reason = capture.raw(REASON)
    said = reason.read_text().strip() if reason.is_file() else "it was not asked"
    return f"Where tasks were spawned is not known: {said}."
