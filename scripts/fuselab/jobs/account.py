"""Where the time of one variant and workload is, from what its profilers saw: blindspots.parquet and .json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fuselab.analysis.account.captures import Captures, FioSide, Polled, Sampled
from fuselab.analysis.account.rows import Account, Row, account
from fuselab.analysis.account.table import write_rows
from fuselab.analysis.account.words import headline, notes
from fuselab.analysis.folded import read_folded
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.totals import read_totals
from fuselab.files import write_json
from fuselab.jobs.process import read_profile
from fuselab.records.derived import AccountWords
from fuselab.workloads import reading

_SHOWN = ("ok", "limited")


def write_account(cell: Path, trace_capture: Path, kind: str) -> None:
    """Set the captures of `cell` (`processed/<variant>/<workload>`) side by side, as far as there are any.

    `trace_capture` is the folder of the first trace-chrome capture: its load is what all others are brought to.
    A trace that was refused leaves an account that says so and has no rows.
    """
    trace = read_profile(cell / "trace-chrome")
    if trace.status not in _SHOWN:
        _write(cell, (), AccountWords("", (f"There is no trace: {' '.join(trace.notes)}",)))
        return
    with duckdb.connect() as connection:
        connection.read_parquet(str(cell / "trace-chrome/spans.parquet")).create_view("spans")
        totals = read_totals(connection)
    traffic = reading.traffic(kind, trace_capture)
    captures = Captures(
        trace=totals,
        operations=traffic.operations,
        polled=_polled(cell / "trace-flame"),
        on_cpu=_sampled(cell / "perf-oncpu", "folded.txt"),
        blocked=_sampled(cell / "perf-offcpu", "folded.txt"),
        idle=_sampled(cell / "perf-offcpu", "idle.txt"),
        preempted=_sampled(cell / "perf-offcpu", "preempted.txt"),
        fio=tuple(
            FioSide(direction, operations, traffic.latency_ns[direction])
            for direction, (operations, _) in traffic.by_direction.items()
            if operations and direction in traffic.latency_ns
        ),
    )
    write(cell, captures, account(captures))


def write(cell: Path, captures: Captures, made: Account) -> None:
    """blindspots.parquet and blindspots.json (headline, notes) in `cell`."""
    _write(cell, made.rows, AccountWords(headline(made), tuple(notes(captures, made))))


def _write(cell: Path, rows: Sequence[Row], words: AccountWords) -> None:
    write_rows(cell / "blindspots.parquet", rows)
    write_json(cell / "blindspots.json", words)


def _polled(folder: Path) -> Polled | None:
    """Of the first capture: the one whose trace is read."""
    if not (folder / "profile.json").is_file() or read_profile(folder).status not in _SHOWN:
        return None
    rows = pq.read_table(folder / "frames.parquet").to_pylist()
    return Polled([FlameFrame(**row) for row in rows], read_profile(folder).operations_by_capture[0])


def _sampled(folder: Path, name: str) -> Sampled | None:
    """All captures together, with the operations of all of them."""
    if not (folder / "profile.json").is_file():
        return None
    profile = read_profile(folder)
    if profile.status not in _SHOWN:
        return None
    return Sampled(read_folded(folder / name, profile.unit), profile.operations)
