"""Where tasks were spawned, from the state that a console-subscriber's gRPC server sends.

The messages are those of console-api; declared here is the part that is read, by the same field numbers, so that
protobuf passes over the rest. The state also has locks, timers and channels, but by ids that are used again: of a
lock that was waited for a thousand times it knows the last few, so no sum of waits can be made from it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = "fuselab.console"
_SCALARS = {"uint64": 4, "uint32": 13, "string": 9}
"""Numbers in FieldDescriptorProto.Type."""
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Location": {"file": (1, "string"), "line": (3, "uint32")},
    "Field": {"str_name": (1, "string"), "str_val": (4, "string"), "debug_val": (3, "string"),
              "u64_val": (5, "uint64")},
    "Task": {"fields": (4, "Field*"), "location": (6, "Location")},
    "TaskUpdate": {"new_tasks": (1, "Task*"), "dropped_events": (4, "uint64")},
    "Update": {"task_update": (2, "TaskUpdate")},
}  # fmt: skip
"""Message -> field -> (number, type); `*` repeats."""
_CRATE = re.compile(r"^.*/(?:registry/src/[^/]+|git/checkouts/[^/]+)/")
_TOOLCHAIN = re.compile(r"^/rustc/[0-9a-f]+/")
_SORT = ("kind", "task.name", "fn", "original_size.bytes", "size.bytes")
"""Fields that tasks of one spawn in the source have in common."""

Sort = tuple[object, ...]


@dataclass(frozen=True)
class State:
    """What the console knew when it was asked."""

    by_id: Mapping[int, str]
    """tokio's own id of a task, which no other task of the process has -> `file:line`."""
    by_sort: Mapping[Sort, str]
    """For sorts that were all spawned in one place."""
    dropped_events: int
    """Events that its buffer had no room for: tasks may be missing."""

    def remarks(self) -> tuple[str, ...]:
        """What a reader should know of it."""
        if not self.dropped_events:
            return ()
        return (
            f"The console's buffer had no room for {self.dropped_events} events: some spawn locations are "
            "missing (TOKIO_CONSOLE_BUFFER_CAPACITY).",
        )

    def location_of(self, fields: Mapping[str, object]) -> str:
        """`file:line` of a task's spawn, from the fields of its recording.

        By its id; for tasks that the console had forgotten, by what all tasks of one spawn have in common, if
        those it remembers were all spawned in one place. "" if it is not known.
        """
        task_id = fields.get("task.id")
        known = self.by_id.get(task_id) if isinstance(task_id, int) else None
        return known or self.by_sort.get(_sort(fields), "")


def read_state(path: Path) -> State:
    """Raises ValueError for a file that is no such message."""
    from google.protobuf.message import DecodeError

    update = _update()()
    try:
        update.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path.name} is no update of a tokio console: {error}") from None
    by_id: dict[int, str] = {}
    places: defaultdict[Sort, set[str]] = defaultdict(set)
    for task in update.task_update.new_tasks:
        fields = {field.str_name: field.u64_val or field.str_val or field.debug_val for field in task.fields}
        task_id = fields.get("task.id")
        if task.location.file and isinstance(task_id, int):
            place = by_id[task_id] = short_place(task.location.file, task.location.line)
            places[_sort(fields)].add(place)
    return State(
        by_id=by_id,
        by_sort={sort: next(iter(found)) for sort, found in places.items() if len(found) == 1},
        dropped_events=update.task_update.dropped_events,
    )


def short_place(file: str, line: int) -> str:
    """`file:line` with a crate's path from the crate on, wherever cargo keeps its sources."""
    return f"{_TOOLCHAIN.sub('', _CRATE.sub('', file))}:{line}"


def _sort(fields: Mapping[str, object]) -> Sort:
    return tuple(fields.get(name) or "" for name in _SORT)


@cache
def _update() -> Any:
    """The class of the outermost of _MESSAGES."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="console.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            scalar = _SCALARS.get(kind)
            message.field.add(
                name=field,
                number=number,
                label=3 if kind.endswith("*") else 1,
                type=scalar or 11,
                type_name=None if scalar else f".{_PACKAGE}.{kind.rstrip('*')}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Update"))
