"""Tasks of a real recording: the numbers that were planted, exactly, and the faults that were planted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fuselab.analysis.tokio.rows import Task
from fuselab.analysis.tokio.tasks import (
    Recording,
    read_recordings,
    read_tasks,
    task_stacks,
    write_tasks,
)
from fuselab.errors import ProfileError

MS = 1_000_000


@pytest.fixture(scope="module")
def recording(golden: Path) -> Recording:
    return read_tasks(golden / "console" / "tasks.ndjson")


def of(recording: Recording, name: str) -> Sequence[Task]:
    return [task for task in recording.tasks if task.name == name]


def test_tasks_polls_and_self_wakes_are_exact(recording: Recording) -> None:
    assert len(of(recording, "sleeper")) == 7
    assert [(task.polls, task.wakes, task.self_wakes) for task in of(recording, "sleeper")] == [(2, 1, 0)] * 7
    (storm,) = of(recording, "self-waker")
    assert (storm.polls, storm.wakes, storm.self_wakes) == (101, 100, 100)
    assert [task.polls for task in of(recording, "busy")] == [1]


def test_times_are_what_was_planted(recording: Recording) -> None:
    (busy,) = of(recording, "busy")
    assert 50 * MS <= busy.busy_ns < 60 * MS
    for sleeper in of(recording, "sleeper"):
        assert sleeper.idle_ns >= 20 * MS
        assert sleeper.busy_ns < 2 * MS
    first, second = sorted(task.idle_ns for task in of(recording, "contender"))
    assert first >= 30 * MS
    assert second >= 60 * MS  # it waits for the lock while the other holds it


def test_a_life_is_its_parts(recording: Recording) -> None:
    for task in recording.tasks:
        assert task.busy_ns + (task.scheduled_ns or 0) + task.idle_ns == task.total_ns


def test_planted_faults_are_named_and_nothing_else_is(recording: Recording) -> None:
    lints = {task.name: task.lints for task in recording.tasks if task.kind == "task"}
    assert lints == {
        "sleeper": "",
        "contender": "",
        "self-waker": "self-wake-storm",
        "busy": "never-yields",
        "lost-waker": "lost-waker",
    }


def test_kinds_without_wakers_have_no_scheduled_time(recording: Recording) -> None:
    assert {task.kind for task in recording.tasks if task.scheduled_ns is None} == {"block_on", "blocking"}


def test_stacks_hold_the_program_and_not_the_runtime(recording: Recording) -> None:
    stacks = task_stacks(recording.tasks).stacks
    assert stacks["busy", "busy"] >= 50 * MS
    assert not [stack for stack in stacks if "tokio::runtime" in stack[0]]
    assert {stack[1] for stack in stacks} == {"busy", "scheduled", "idle"}


def test_the_table_has_a_row_for_each_task(recording: Recording, tmp_path: Path) -> None:
    write_tasks(tmp_path / "t.parquet", recording.tasks)
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert rows == [{"label": task.label, **asdict(task)} for task in recording.tasks]


def test_the_largest_id_there_is_has_its_row(recording: Recording, tmp_path: Path) -> None:
    """A registry that reuses a span's slot counts it in the uppermost bits of the id."""
    task = replace(recording.tasks[0], id=2**64 - 1)
    write_tasks(tmp_path / "t.parquet", [task])
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == [2**64 - 1]


def test_a_cut_tail_is_left_out(golden: Path, recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "cut.ndjson").write_bytes((golden / "console" / "tasks.ndjson").read_bytes()[:-20])
    cut = read_tasks(tmp_path / "cut.ndjson")
    assert cut.cut
    assert len(cut.tasks) == len(recording.tasks)


def test_a_filter_that_hides_the_console_is_named(golden: Path) -> None:
    with pytest.raises(ProfileError, match=r"0 events.*tokio=trace,runtime=trace"):
        read_tasks(golden / "console" / "filtered.ndjson")


def at(ms: float) -> dict[str, int]:
    return {"secs_since_epoch": 1, "nanos_since_epoch": round(ms * MS)}


def made(tmp_path: Path, *events: tuple[str, float, object]) -> Sequence[Task]:
    """Events of task 1: (kind, ms, operation of a waker)."""
    lines: list[object] = [{"v": 1}]
    for kind, ms, op in events:
        extra = (
            {"fields": [{"name": "kind", "value": "task"}]} if kind == "Spawn" else {"op": op} if op else {}
        )
        lines.append({kind: {"id": 1, "at": at(ms), **extra}})
    (tmp_path / "r.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_tasks(tmp_path / "r.ndjson").tasks


WAKE = {"Wake": {"self_wake": False}}


def test_scheduled_time_runs_from_the_wake_and_leaves_out_the_drop(tmp_path: Path) -> None:
    (task,) = made(
        tmp_path,
        ("Spawn", 0, None), ("Enter", 5, None), ("Waker", 5.5, "Clone"), ("Exit", 6, None), ("Waker", 10, WAKE),
        ("Enter", 13, None), ("Exit", 14, None), ("Enter", 14.5, None), ("Exit", 14.6, None), ("Close", 15, None),
    )  # fmt: skip
    assert (task.polls, task.scheduled_ns, task.first_poll_after_ns) == (2, 3 * MS, 5 * MS)
    assert task.busy_ns == round(2.1 * MS)
    assert task.total_ns == 15 * MS


def test_a_wake_during_a_poll_counts_from_its_end(tmp_path: Path) -> None:
    (task,) = made(
        tmp_path,
        ("Spawn", 0, None), ("Enter", 1, None), ("Waker", 2, {"WakeByRef": {"self_wake": True}}), ("Exit", 4, None),
        ("Enter", 6, None), ("Exit", 7, None),
    )  # fmt: skip
    assert (task.scheduled_ns, task.self_wakes, task.dropped) == (2 * MS, 1, False)


def test_an_id_used_again_is_another_task(tmp_path: Path) -> None:
    first, second = made(
        tmp_path,
        ("Spawn", 0, None), ("Enter", 1, None), ("Exit", 2, None), ("Enter", 2, None), ("Exit", 2, None),
        ("Close", 3, None), ("Spawn", 4, None), ("Enter", 5, None), ("Exit", 8, None),
    )  # fmt: skip
    assert (first.polls, first.busy_ns) == (1, 1 * MS)
    assert (second.polls, second.busy_ns, second.dropped) == (1, 3 * MS, False)


def test_a_task_that_still_runs_is_busy_to_the_end(tmp_path: Path) -> None:
    (task,) = made(tmp_path, ("Spawn", 0, None), ("Enter", 1, None), ("Waker", 51, "Clone"))
    assert (task.busy_ns, task.polls, task.lints) == (50 * MS, 1, "never-yields")


@pytest.mark.parametrize(
    ("events", "waits"),
    [
        ([("Enter", 1, None), ("Exit", 2, None)], 1),
        ([("Enter", 1, None), ("Exit", 2, None), ("Waker", 3, WAKE)], 0),
        ([("Enter", 1, None), ("Waker", 2, WAKE), ("Exit", 3, None)], 0),
        ([("Enter", 1, None)], 0),
        ([("Enter", 1, None), ("Exit", 2, None), ("Close", 3, None)], 0),
        ([], 0),
    ],
)
def test_a_task_that_nobody_has_woken_since_its_last_poll_waits(
    tmp_path: Path, events: list[tuple[str, float, object]], waits: int
) -> None:
    made(tmp_path, ("Spawn", 0, None), *events)
    assert len(read_tasks(tmp_path / "r.ndjson").waiting) == waits


def test_a_waker_kept_somewhere_is_not_lost(tmp_path: Path) -> None:
    events = [("Spawn", 0, None), ("Enter", 1, None), ("Waker", 1, "Clone"), ("Exit", 2, None)]
    (waiting,) = made(tmp_path, *events, ("Waker", 90, "Clone"))
    assert waiting.lints == ""
    (lost,) = made(
        tmp_path, *events, ("Waker", 3, "Drop"), ("Enter", 90, None), ("Exit", 90, None), ("Close", 91, None)
    )
    assert lost.lints == "lost-waker"


def test_a_recording_of_resources_alone_has_no_task(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no task"):
        made(tmp_path, ("Enter", 1, None), ("Exit", 2, None))


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.ndjson").write_text('{"v":2}\n')
    with pytest.raises(ProfileError, match="version 2"):
        read_tasks(tmp_path / "r.ndjson")


def test_a_clock_that_is_set_back_makes_no_negative_time(tmp_path: Path) -> None:
    (task,) = made(
        tmp_path,
        ("Spawn", 2000, None),
        ("Enter", 2001, None),
        ("Exit", 2003, None),
        ("Waker", 1004, {"WakeByRef": {"self_wake": False}}),
        ("Enter", 1005, None),
        ("Exit", 1007, None),
        ("Close", 1010, None),
    )
    # Up to the step 3 ms, from the next poll on 5 ms; what passed while the clock was set is not known.
    assert task.total_ns == 8 * MS
    assert task.busy_ns == 4 * MS
    assert min(value for value in asdict(task).values() if isinstance(value, int | float)) >= 0
    assert read_tasks(tmp_path / "r.ndjson").notes()[0].startswith("The clock was set back by 0.998 s")


def test_an_event_that_was_held_up_is_no_step_of_the_clock(tmp_path: Path) -> None:
    """The recorder waits for a slow disk, and each thread for the recorder: one that comes late was stamped before."""
    (task,) = made(
        tmp_path,
        ("Spawn", 2000, None),
        ("Enter", 2001, None),
        ("Exit", 2600, None),
        ("Waker", 2010, {"WakeByRef": {"self_wake": False}}),
        ("Enter", 2650, None),
        ("Exit", 2690, None),
        ("Close", 2700, None),
    )
    assert task.total_ns == 700 * MS
    assert not any("clock" in note for note in read_tasks(tmp_path / "r.ndjson").notes())


def test_every_recording_of_a_capture_is_read_and_their_ids_are_not_mixed(
    golden: Path, recording: Recording
) -> None:
    twice = read_recordings([golden / "console/tasks.ndjson", golden / "console/tasks.ndjson"])
    assert twice.tasks == recording.tasks * 2


def test_tasks_are_called_together_what_only_a_counter_tells_apart(recording: Recording) -> None:
    tasks = [
        replace(recording.tasks[0], name=f"conn {number} of 127.0.0.1:5{number}", function="")
        for number in (1, 7)
    ]
    (label,) = {stack[0] for stack in task_stacks(tasks).stacks}
    assert label == "conn N of"
