"""The lines of a console-subscriber recording, decoded.

`{"v":1}` first, then one externally tagged event a line. The recorder's thread is not joined at exit, so the last
line may be broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import msgspec

from fuselab.errors import ProfileError

VERSION = 1


class Moment(msgspec.Struct, frozen=True):
    secs_since_epoch: int
    nanos_since_epoch: int

    @property
    def ns(self) -> int:
        return self.secs_since_epoch * 1_000_000_000 + self.nanos_since_epoch


class Field(msgspec.Struct, frozen=True):
    name: str
    value: Any


class Point(msgspec.Struct, frozen=True):
    id: int
    at: Moment


class Spawn(Point, frozen=True):
    fields: list[Field]


class Waker(Point, frozen=True):
    op: str | dict[str, dict[str, bool]]
    """`Clone`, `Drop`, or `{"Wake": {"self_wake": bool}}`, `{"WakeByRef": {...}}`."""


class Line(msgspec.Struct, frozen=True):
    """One of these is set."""

    v: int | None = None
    Spawn: Spawn | None = None
    Enter: Point | None = None
    Exit: Point | None = None
    Close: Point | None = None
    Waker: Waker | None = None


class Reader:
    """Iterates over the events of a recording; `cut` and `skipped` are complete when it is through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.cut = False
        self.skipped = 0

    def __iter__(self) -> Iterator[Line]:
        """Raises ProfileError for a recording of a version that is not known here."""
        decode = msgspec.json.Decoder(Line).decode
        for text in self._file:
            try:
                line = decode(text)
            except msgspec.DecodeError:
                self.cut = not text.endswith(b"\n")
                self.skipped += not self.cut
                continue
            if line.v is None:
                yield line
            elif line.v != VERSION:
                raise ProfileError(
                    f"The recording has version {line.v} of console-subscriber's format.",
                    f"Build the target with a console-subscriber that writes version {VERSION} (0.4 or 0.5).",
                )
