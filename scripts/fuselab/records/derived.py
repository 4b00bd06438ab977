"""What is said beside the tables and pictures that are derived from captures: answers to queries, words, notes."""

from __future__ import annotations

from dataclasses import dataclass

from fuselab.records.profile import Scale


@dataclass(frozen=True)
class QueryAnswer:
    """What one query gave for one variant and workload, of all those in `queries.json`."""

    title: str
    sql: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class AccountWords:
    """blindspots.json: what the account of a cell beside it says, names between backticks."""

    headline: str = ""
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    """What to change in the program so that its trace tells more."""
    in_flight: str = ""
    """The headline of its requests, where they were looked at without a span."""
    in_flight_notes: tuple[str, ...] = ()
    operations: int = 0
    """Of the load of the trace, to which every time of the table was brought; 0 where it is not known."""


@dataclass(frozen=True)
class DifferenceNote:
    """diff.json: what a reader must know of a difference, or why there is none."""

    note: str = ""
    scale: Scale = "as it is"
