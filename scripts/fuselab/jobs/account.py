"""Where the time of one variant and workload is, from what its profilers saw: blindspots.parquet and .json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fuselab import profilers
from fuselab.analysis.account import in_flight_words
from fuselab.analysis.account.captures import Captures, FioSide, Polled, Sampled
from fuselab.analysis.account.hints import missing_spans, wide_arguments
from fuselab.analysis.account.in_flight import OfOpcode
from fuselab.analysis.account.operation import Operation, sentence
from fuselab.analysis.account.rows import Account, Row, account
from fuselab.analysis.account.table import write_rows
from fuselab.analysis.account.words import headline, notes
from fuselab.analysis.folded import read_folded
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.functions import known
from fuselab.analysis.spans.totals import read_totals
from fuselab.files import write_json
from fuselab.profilers.serving import read_rows
from fuselab.records.derived import AccountWords
from fuselab.records.places import ACCOUNT, ACCOUNT_WORDS, FOLDED
from fuselab.records.profile import Profile, read_profile
from fuselab.workloads import reading

_NOTHING = AccountWords()
_ALONE = "nothing that sees threads leave the CPU looked at the same run, as `{}` does."


def write_account(processed: Sequence[Path], trace_capture: Path | None, kind: str, out: Path) -> None:
    """Set what the profilers of a cell saw side by side: folders of their profiles, as far as there are any.

    `trace_capture` is the folder of the first capture with spans, if there is one: its load is what all others are
    brought to. A trace that was refused leaves an account that says so and has no rows.
    """
    requests, of_requests, words = _of_requests(processed)
    if trace_capture is None:
        _write(out, (), words)
        return
    trace, spans = _given(processed, "spans")
    if trace is None or not trace.has_picture:
        why = trace.notes if trace else ()
        _write(out, (), replace(words, notes=(f"There is no trace: {' '.join(why)}",)))
        return
    with duckdb.connect() as connection:
        connection.read_parquet(str(spans)).create_view("spans")
        totals = read_totals(connection)
        wide = tuple(wide_arguments(connection, float(trace.figures.get("trace_bytes", 0))))
    traffic = reading.traffic(kind, trace_capture)
    captures = Captures(
        trace=totals,
        operations=traffic.operations,
        polled=_polled(processed),
        on_cpu=_sampled(processed, "on_cpu"),
        blocked=_sampled(processed, "blocked"),
        argument_hints=wide,
        idle=_sampled(processed, "idle"),
        preempted=_sampled(processed, "preempted"),
        fio=tuple(
            FioSide(direction, operations, traffic.latency_ns[direction])
            for direction, (operations, _) in traffic.by_direction.items()
            if operations and direction in traffic.latency_ns
        ),
        requests=requests if of_requests == (traffic.operations,) else (),
    )
    write(out, captures, account(captures), words, Operation(*traffic.one) if traffic.one else None)


def write(
    cell: Path,
    captures: Captures,
    made: Account,
    requests: AccountWords = _NOTHING,
    operation: Operation | None = None,
) -> None:
    """blindspots.parquet and blindspots.json in `cell`; `requests` is what is said of those already. What an
    `operation` was is said too, where the load tells."""
    said = [headline(made, " or ".join(profilers.giving("polled")))]
    if operation is not None:
        said.append(sentence(operation, captures.on_cpu, captures.blocked))
    hints = (*missing_spans(captures), *captures.argument_hints)
    said_of_spans = replace(
        requests,
        headline=" ".join(said),
        hints=hints,
        notes=tuple(notes(captures, made)),
        operations=captures.operations,
    )
    _write(cell, made.rows, said_of_spans)


def _write(cell: Path, rows: Sequence[Row], words: AccountWords) -> None:
    write_rows(cell / ACCOUNT, rows)
    write_json(cell / ACCOUNT_WORDS, words)


def _of_requests(processed: Sequence[Path]) -> tuple[Sequence[OfOpcode], Sequence[int], AccountWords]:
    """Where requests were, of all captures together; the operations of each capture; what is said of that."""
    profile, table = _given(processed, "in_flight")
    if profile is None:
        return (), (), _NOTHING
    if not profile.has_picture or not table.is_file():
        why = (
            " ".join(profile.notes)
            if not profile.has_picture
            else _ALONE.format(profilers.giving("blocked")[0])
        )
        return (), (), AccountWords(in_flight_notes=(f"Requests are not accounted: {why}",))
    rows, on_cpu = read_rows(table), _sampled(processed, "on_cpu")
    stacks = read_folded(table.with_name(FOLDED), profile.unit).stacks
    leaves: Counter[str] = Counter()
    for stack, value in on_cpu.folded.stacks.items() if on_cpu else ():
        leaves[known(stack)] += value
    said = in_flight_words.headline(rows, stacks, dict(leaves.most_common()))
    words = AccountWords(in_flight=said, in_flight_notes=tuple(in_flight_words.notes(rows)))
    return rows, profile.operations_by_capture, words


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
