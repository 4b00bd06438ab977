"""tokio-console: what each task did, recorded by console-subscriber without a terminal.

The recording has every event but not where a task was spawned: that is asked of the live console, once
(`console_live`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.tokio.rows import Task
from fuselab.profilers.base import (
    Addition,
    CaptureContext,
    GivenTable,
    Profiler,
    Reading,
    Sight,
    Window,
    columns_of,
)
from fuselab.profilers.console_live import PROMPT, REASON, STATE, asked_at_the_end
from fuselab.targets.model import ProfilerSupport

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

TASKS = "tasks.parquet"


class TokioConsole(Profiler):
    """Busy, scheduled and idle time of tasks."""

    name = "tokio-console"
    title = "tokio-console: tasks"
    unit = "ns of task time"
    sees = "for each task: polls, busy, scheduled and idle time, wakes"
    blind_to = "what a task does inside a poll, and anything outside the runtime"
    written_by_target = True
    shows = Sight(on_cpu="as busy", blocked="as busy", awaiting="as idle")
    tables = (
        GivenTable(
            "tasks",
            "tokio tasks and what they waited for; times in ns",
            {"label": "VARCHAR", **columns_of(Task), "id": "UBIGINT"},
            TASKS,
        ),
    )

    def environment(self, support: ProfilerSupport) -> Mapping[str, str]:
        return PROMPT

    def attach(self, context: CaptureContext) -> AbstractContextManager[Window]:
        return asked_at_the_end(context)

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.tokio.state import read_state
        from fuselab.analysis.tokio.tasks import never_woken, read_recordings, task_stacks, write_tasks

        recordings = capture.files_of(self.name)
        live = capture.raw(STATE)
        state = read_state(live) if live.is_file() else None
        recorded = read_recordings(recordings, state)
        write_tasks(out / capture.numbered(TASKS), recorded.tasks)
        figures = {
            "tasks": len(recorded.tasks),
            "polls": sum(task.polls for task in recorded.tasks),
            "wakes": sum(task.wakes for task in recorded.tasks),
            "self_wakes": sum(task.self_wakes for task in recorded.tasks),
            "recording_bytes": sum(path.stat().st_size for path in recordings),
        }
        lints = [lint for task in recorded.tasks for lint in set(task.lints.split(",")) if lint]
        remarks = tuple(f"Lint {lint}: {lints.count(lint)} tasks." for lint in sorted(set(lints)))
        if capture.run.fault == "hung":
            remarks += (never_woken(recorded.waiting),)
        remarks += state.remarks() if state else (_no_state(capture),)
        sources = (*recordings, live) if state else recordings
        return Reading(task_stacks(recorded.tasks).stacks, sources, figures, recorded.notes(), remarks)

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        import pyarrow.parquet as pq

        return Addition(table=pq.read_table(out / TASKS))


def _no_state(capture: CaptureFolder) -> str:
    reason = capture.raw(REASON)
    said = reason.read_text().strip() if reason.is_file() else "it was not asked"
    return f"Where tasks were spawned is not known: {said}."
