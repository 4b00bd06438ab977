"""Where the time of one variant and workload is, from what its profilers saw: blindspots.parquet and .json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fuselab import profilers
from fuselab.analysis.account.captures import Captures, FioSide, Polled, Sampled
from fuselab.analysis.account.rows import Account, Row, account
from fuselab.analysis.account.table import write_rows
from fuselab.analysis.account.words import headline, notes
from fuselab.analysis.folded import read_folded
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.totals import read_totals
from fuselab.files import write_json
from fuselab.records.derived import AccountWords
from fuselab.records.places import ACCOUNT, ACCOUNT_WORDS
from fuselab.records.profile import Profile, read_profile
from fuselab.workloads import reading


def write_account(processed: Sequence[Path], trace_capture: Path, kind: str, out: Path) -> None:
    """Set what the profilers of a cell saw side by side: folders of their profiles, as far as there are any.

    `trace_capture` is the folder of the first capture with spans: its load is what all others are brought to.
    A trace that was refused leaves an account that says so and has no rows.
    """
    trace, spans = _given(processed, "spans")
    if trace is None or not trace.has_picture:
        why = trace.notes if trace else ()
        _write(out, (), AccountWords("", (f"There is no trace: {' '.join(why)}",)))
        return
    with duckdb.connect() as connection:
        connection.read_parquet(str(spans)).create_view("spans")
        totals = read_totals(connection)
    traffic = reading.traffic(kind, trace_capture)
    captures = Captures(
        trace=totals,
        operations=traffic.operations,
        polled=_polled(processed),
        on_cpu=_sampled(processed, "on_cpu"),
        blocked=_sampled(processed, "blocked"),
        idle=_sampled(processed, "idle"),
        preempted=_sampled(processed, "preempted"),
        fio=tuple(
            FioSide(direction, operations, traffic.latency_ns[direction])
            for direction, (operations, _) in traffic.by_direction.items()
            if operations and direction in traffic.latency_ns
        ),
    )
    write(out, captures, account(captures))


def write(cell: Path, captures: Captures, made: Account) -> None:
    """blindspots.parquet and blindspots.json (headline, notes) in `cell`."""
    _write(
        cell,
        made.rows,
        AccountWords(headline(made, " or ".join(profilers.giving("polled"))), tuple(notes(captures, made))),
    )


def _write(cell: Path, rows: Sequence[Row], words: AccountWords) -> None:
    write_rows(cell / ACCOUNT, rows)
    write_json(cell / ACCOUNT_WORDS, words)


def _given(processed: Sequence[Path], part: str) -> tuple[Profile | None, Path]:
    """The profile of the first profiler that gives `part` and looked here, and the file that has the part."""
    folders = {folder.name: folder for folder in processed}
    for name in profilers.giving(part):
        if name in folders:
            return read_profile(folders[name]), folders[name] / getattr(
                profilers.REGISTRY[name].account, part
            )
    return None, Path()


def _polled(processed: Sequence[Path]) -> Polled | None:
    """Of the first capture: the one whose trace is read."""
    profile, frames = _given(processed, "polled")
    if profile is None or not profile.has_picture:
        return None
    rows = pq.read_table(frames).to_pylist()
    return Polled([FlameFrame(**row) for row in rows], profile.operations_by_capture[0])


def _sampled(processed: Sequence[Path], part: str) -> Sampled | None:
    """All captures together, with the operations of all of them."""
    profile, stacks = _given(processed, part)
    if profile is None or not profile.has_picture:
        return None
    return Sampled(read_folded(stacks, profile.unit), profile.operations)
