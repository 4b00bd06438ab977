"""A CSV under results/: a frozen dataclass for its rows, whose fields are its columns, in their order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fuselab.errors import UnreadableError
from fuselab.files import write_atomically

Row = TypeVar("Row")


def columns(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def cells(kind: type[Row], rows: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    """The fields of each row, in the order of the columns, of which there are two at least."""
    return map(attrgetter(*columns(kind)), rows)


def write_rows(path: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """None is an empty cell, and a float has all its digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(kind))
    writer.writerows(cells(kind, rows))
    write_atomically(path, text.getvalue())


def read_rows(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """Raises UnreadableError for a file that is cut or edited."""
    with path.open(newline="") as file:
        try:
            return parse_rows(file, kind)
        except (ValueError, csv.Error) as error:
            mend = "delete it, and it is made again"
            raise UnreadableError(f"{path} is not what fuselab left there ({error}): {mend}") from None


def parse_rows(lines: Iterable[str], kind: type[Row]) -> tuple[Row, ...]:
    """A cell that is empty or missing is its field's default; columns that `kind` has not are passed over.

    Raises:
        ValueError: a cell is not of its field's type, or one is empty that must not be.
    """
    texts = ({name: cell for name, cell in row.items() if cell} for row in csv.DictReader(lines))
    return tuple(msgspec.convert(row, kind, strict=False) for row in texts)
