"""What each tokio task did, from a recording of console-subscriber (`TOKIO_CONSOLE_RECORD_PATH`).

One JSON object a line. `Enter` and `Exit` are written for resources too: only ids with a `Spawn` are tasks, and ids
are used again, so a task is an id and its spawn. Definitions, per task:

- a poll is an outermost Enter and its Exit; the last one of a task whose future was dropped is the drop, no poll;
- busy: sum of Exit - Enter; scheduled: Enter - the later of the last wake and the last poll's end, without the
  first poll, and only where there was a wake; idle: what remains of the task's life;
- tasks of kind `block_on` and `blocking` are not woken through a waker: they have no scheduled time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from fuselab import foreign
from fuselab.analysis.captured import each_readable
from fuselab.analysis.folded import Folded, safe_frame
from fuselab.analysis.tokio.events import Reader
from fuselab.analysis.tokio.life import Life, Lives
from fuselab.analysis.tokio.rows import Task
from fuselab.analysis.tokio.state import State, short_place
from fuselab.errors import ProfileError

TASK_UNIT = "ns of task time"
WOKEN_KINDS = frozenset({"task", "local"})
LONG_POLL_NS = 10_000_000
"""A poll that long keeps a worker thread from every other task."""
STORM_WAKES = 10
STORM_SHARE = 0.5
"""More than this share of at least STORM_WAKES wakes made by the task itself is a storm."""
LOST_NS = 10_000_000
"""So long without a waker, a wake or a poll, and the task cannot have been at its end."""
_RUNTIME = "tokio::runtime::"
_MOST_LABELS = 6
_CONSOLE_FILTER = (
    "Let the log filter pass the runtime's own spans: add `tokio=trace,runtime=trace` to RUST_LOG."
)


@dataclass(frozen=True)
class Recording:
    tasks: tuple[Task, ...]
    cut: bool
    """The last line is not whole."""
    skipped: int
    """Lines in between that are no JSON."""
    stepped_ns: int = 0
    """How far the clock was set back while it was recorded."""
    unread: tuple[str, ...] = ()
    """Why files beside others say nothing."""
    waiting: tuple[str, ...] = ()
    """Labels of the tasks that nobody had woken since their last poll when the recording ended."""

    def notes(self) -> tuple[str, ...]:
        said = []
        if self.cut:
            said.append("The recording ends in the middle of a line and was read up to there.")
        if self.skipped:
            said.append(f"{self.skipped} lines of the recording could not be read.")
        if self.stepped_ns:
            said.append(
                f"The clock was set back by {self.stepped_ns / 1e9:.3g} s while it was recorded: what lasted over that "
                "moment is counted up to it and from it on."
            )
        return (*said, *self.unread)


def read_tasks(recording: Path, state: State | None = None) -> Recording:
    """Every task of a recording, in the order of their spawns; `state` says where those were.

    Raises ProfileError for a recording without events or without tasks, with the setting that hides them.
    """
    lives = Lives()
    with recording.open("rb") as file:
        reader = Reader(file)
        for line in reader:
            lives.take(line)
    if not lives.all:
        events = "events but no task" if lives.events else "events: no task reached the console"
        raise ProfileError(f"The recording {recording.name} has {lives.events} {events}.", _CONSOLE_FILTER)
    tasks = [_task(life, lives.first_ns, lives.last_ns, state) for life in lives.all]
    waiting = (
        task.label
        for task, life in zip(tasks, lives.all, strict=True)
        if task.kind in WOKEN_KINDS and life.waits() and not task.function.startswith(_RUNTIME)
    )
    return Recording(tuple(tasks), reader.cut, reader.skipped, lives.stepped_ns, waiting=tuple(waiting))


def read_recordings(recordings: Sequence[Path], state: State | None = None) -> Recording:
    """All recordings of one capture: of several processes, or of a program that started anew.

    Each is read by itself, because ids of one mean nothing in another; so of what the live console said, only what does
    not go by ids is taken. Raises ProfileError where none of them has a task.
    """
    if len(recordings) == 1:
        return read_tasks(recordings[0], state)
    shared = replace(state, by_id={}) if state else None
    read, unread = each_readable(recordings, lambda path: read_tasks(path, shared))
    return Recording(
        tasks=tuple(task for one in read for task in one.tasks),
        cut=any(one.cut for one in read),
        skipped=sum(one.skipped for one in read),
        stepped_ns=max(one.stepped_ns for one in read),
        unread=unread,
        waiting=tuple(label for one in read for label in one.waiting),
    )


def task_stacks(tasks: Iterable[Task]) -> Folded:
    """`label; busy | scheduled | idle`, summed over the tasks of one label. The runtime's own workers are left out."""
    sums: Counter[tuple[str, ...]] = Counter()
    for task in tasks:
        if not task.function.startswith(_RUNTIME):
            label = safe_frame(task.label)
            sums[label, "busy"] += task.busy_ns
            sums[label, "scheduled"] += task.scheduled_ns or 0
            sums[label, "idle"] += task.idle_ns
    return Folded(dict(+sums), TASK_UNIT)


def never_woken(labels: Sequence[str]) -> str:
    """`12 tasks: flush (10), compact (2)`: what a run that hung waited for, as far as tasks show it."""
    if not labels:
        return "The run hung, and every task had been woken since its last poll: none waits for another."
    counted = ", ".join(f"{label} ({count})" for label, count in Counter(labels).most_common(_MOST_LABELS))
    return f"The run hung, and {len(labels)} tasks had not been woken since their last poll: {counted}."


def write_tasks(path: Path, tasks: Sequence[Task]) -> None:
    """The tasks as Parquet: the fields of Task, and its label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[str, pa.DataType] = {
        "int": pa.int64(), "int | None": pa.int64(), "float": pa.float64(), "bool": pa.bool_()
    }  # fmt: skip
    columns = {field.name: types.get(str(field.type), pa.string()) for field in fields(Task)}
    # Ids of spans have a generation in their uppermost bits.
    schema = pa.schema([*{"label": pa.string(), **columns, "id": pa.uint64()}.items()])
    rows = [{"label": task.label, **asdict(task)} for task in tasks]
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def _task(life: Life, first_ns: int, last_ns: int, state: State | None) -> Task:
    said = {field.name: field.value for field in life.fields}
    kind = str(said.get("kind", "task"))
    woken = kind in WOKEN_KINDS
    scheduled_ns = life.scheduled_ns() if woken else None
    busy_ns = life.busy_ns(last_ns)
    # Events of two threads may come in the other order than they happened.
    total_ns = max(life.end_ns(last_ns) - life.spawn_ns, busy_ns)
    return Task(
        id=life.id,
        spawned_us=(life.spawn_ns - first_ns) / 1000,
        kind=kind,
        name=foreign.name(str(said.get("task.name") or "")),
        location=_location(said, state),
        function=foreign.name(str(said.get("fn") or "")),
        size_bytes=int(said.get("size.bytes") or 0),
        polls=life.polls(),
        busy_ns=busy_ns,
        scheduled_ns=scheduled_ns,
        idle_ns=max(0, total_ns - busy_ns - (scheduled_ns or 0)),
        total_ns=total_ns,
        longest_poll_ns=life.longest_poll_ns(last_ns),
        first_poll_after_ns=life.first_poll_after_ns(),
        wakes=life.wakes,
        self_wakes=life.self_wakes,
        dropped=life.closed_ns is not None,
        lints=",".join(_lints(life, last_ns)) if woken else "",
    )


def _location(said: Mapping[str, object], state: State | None) -> str:
    if file := said.get("loc.file"):
        return short_place(str(file), int(str(said.get("loc.line") or 0)))
    return state.location_of(said) if state else ""


def _lints(life: Life, last_ns: int) -> Iterator[str]:
    if life.longest_poll_ns(last_ns) >= LONG_POLL_NS:
        yield "never-yields" if life.polls() == 1 else "long-poll"
    if life.without_waker_ns(last_ns) >= LOST_NS:
        yield "lost-waker"
    if life.wakes >= STORM_WAKES and life.self_wakes > STORM_SHARE * life.wakes:
        yield "self-wake-storm"
