"""The sentence that joins: only what was measured on both sides, from what to what, and where it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from fuselab.records.comparison import Comparison
from fuselab.records.contrast import Contrast
from fuselab.records.derived import AccountWords
from fuselab.records.plan import ProfilerPlan, VariantPlan
from fuselab.records.profile import Profile
from fuselab.report import spent, work
from fuselab.report.clause import Clause
from fuselab.report.context import Link
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import beside
from fuselab.report.reading import Processed, Results

CONTRAST = Contrast("baseline", "variant")
OPERATIONS = 1000


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def seen(
    tmp_path: Path,
    sides: Mapping[str, Mapping[str, float]],
    profiler: str = "fuse-requests",
    bare: tuple[str, ...] = (),
) -> Results:
    """What was recorded of both variants: opcode -> ms in flight for each operation. `bare` mount nothing."""
    profiles = {}
    for variant, by_opcode in sides.items():
        folder = tmp_path / variant
        folder.mkdir()
        rows = [
            {"opcode": name, "in_flight_ns": round(ms * 1e6 * OPERATIONS)} for name, ms in by_opcode.items()
        ]
        pd.DataFrame(rows).to_parquet(folder / "table.parquet")
        profile = Profile(profiler, "ok", "ns", 1, 1, OPERATIONS, 0, ())
        profiles[variant, "w", profiler] = Processed(folder, profile)
    plans = tuple(ProfilerPlan(name, "", "", "", "") for name in ("perf-oncpu", profiler))
    variants = tuple(VariantPlan(v, argv=() if v in bare else ("fs",)) for v in ("baseline", "variant"))
    plan = SimpleNamespace(profilers=plans, variants=variants)
    return cast(Results, SimpleNamespace(plan=plan, profiles=profiles, blindspots={}))


def requests(results: Results) -> list[tuple[str, str]]:
    told = (clause.link for clause in spent.requests(results, CONTRAST, "w"))
    return [(plain(link.label), link.href) for link in told]


def test_time_in_flight_says_from_what_to_what_and_in_which_requests(tmp_path: Path):
    results = seen(tmp_path, {"baseline": {"WRITE": 1.2}, "variant": {"WRITE": 1.3, "FSYNC": 0.8}})
    said = "900 µs more in flight (1.2 ms to 2.1 ms), 800 µs of it in `FSYNC`"
    assert requests(results) == [(said, "#profiler-1")]


def test_a_part_that_grew_by_more_than_the_whole_is_no_part_of_it(tmp_path: Path):
    results = seen(
        tmp_path, {"baseline": {"GETATTR": 1, "CREATE": 2}, "variant": {"GETATTR": 3, "CREATE": 1}}
    )
    said = "1 ms more in flight (3 ms to 4 ms), 2 ms more in `GETATTR` and less elsewhere"
    assert requests(results) == [(said, "#profiler-1")]


def test_what_was_done_meanwhile_is_told_where_both_sides_were_seen(tmp_path: Path):
    results = seen(tmp_path, {"baseline": {"WRITE": 1.2}, "variant": {"WRITE": 2.1}})
    for variant, blocked_ms in (("baseline", 0.1), ("variant", 0.9)):
        both = {"opcode": "WRITE", "oncpu_ns": 1e5 * OPERATIONS, "blocked_ns": 1e6 * blocked_ms * OPERATIONS}
        pd.DataFrame([both]).to_parquet(tmp_path / variant / "in_flight.parquet")
    said = "900 µs more in flight (1.2 ms to 2.1 ms), 800 µs of it blocked in `WRITE`"
    assert requests(results) == [(said, "#profiler-1")]
    (tmp_path / "baseline" / "in_flight.parquet").unlink()
    assert requests(results)[0][0].endswith("all of it in `WRITE`")


def test_less_is_told_as_well(tmp_path: Path):
    results = seen(tmp_path, {"baseline": {"WRITE": 2.0}, "variant": {"WRITE": 1.0}})
    assert requests(results) == [("1 ms less in flight (2 ms to 1 ms), all of it in `WRITE`", "#profiler-1")]


@pytest.mark.parametrize(
    "sides",
    [
        {"baseline": {"WRITE": 2.0}, "variant": {"WRITE": 2.1}},
        {"baseline": {"WRITE": 2.0}},
        {"variant": {"WRITE": 2.0}},
    ],
)
def test_nothing_is_said_of_a_small_change_or_of_one_side_alone(
    tmp_path: Path, sides: dict[str, dict[str, float]]
):
    assert requests(seen(tmp_path, sides)) == []


def test_a_bare_directory_has_no_requests_so_all_of_a_mount_s_come_on_top(tmp_path: Path):
    results = seen(tmp_path, {"variant": {"WRITE": 1.9, "FLUSH": 0.01}}, bare=("baseline",))
    said = "1.91 ms more in flight (0 ns to 1.91 ms), all of it in `WRITE`"
    assert requests(results) == [(said, "#profiler-1")]


def test_what_other_profilers_have_in_their_tables_is_no_time_of_operations(tmp_path: Path):
    sides = {"baseline": {"WRITE": 2.0}, "variant": {"WRITE": 4.0}}
    assert requests(seen(tmp_path, sides, "perf-offcpu")) == []


def account_of(
    tmp_path: Path, sides: Mapping[str, list[dict[str, Any]]], operations: int = OPERATIONS
) -> Results:
    found = {}
    for variant, rows in sides.items():
        path = tmp_path / f"{variant}.parquet"
        pd.DataFrame(rows).to_parquet(path)
        found[variant, "w"] = (path, AccountWords(operations=operations))
    return cast(Results, SimpleNamespace(blindspots=found))


def rows_of(awaiting_ms: float, blocked_ms: float) -> list[dict[str, Any]]:
    """In all, with one operation called `meta_commit` and one called `write`."""
    return [
        {"name": "meta_commit", "calls": 7, "awaiting_ns": 1e6 * awaiting_ms * OPERATIONS, "blocked_ns": 0.0},
        {
            "name": "write",
            "calls": 7,
            "awaiting_ns": 1e6 * OPERATIONS,
            "blocked_ns": 1e6 * blocked_ms * OPERATIONS,
        },
        {"name": "(outside any span)", "calls": None, "awaiting_ns": 9e15, "blocked_ns": 9e15},
        {"name": "(outside the target)", "calls": 9},
    ]


def account(results: Results) -> list[str]:
    return [plain(clause.link.label) for clause in spent.account(results, CONTRAST, "w")]


def test_the_account_says_which_part_of_which_operation_grew_by_most(tmp_path: Path):
    sides = {"baseline": rows_of(0.2, 1.0), "variant": rows_of(4.2, 1.5)}
    assert account(account_of(tmp_path, sides)) == ["4 ms more suspended in `meta_commit` (200 µs to 4.2 ms)"]


def test_an_account_that_does_not_know_the_operations_of_its_load_says_nothing(tmp_path: Path):
    sides = {"baseline": rows_of(0.2, 1.0), "variant": rows_of(4.2, 1.5)}
    assert account(account_of(tmp_path, sides, operations=0)) == []


def test_what_grew_by_little_of_all_is_not_told(tmp_path: Path):
    assert account(account_of(tmp_path, {"baseline": rows_of(0.0, 1.0), "variant": rows_of(0.1, 1.0)})) == []


def test_clauses_stand_behind_a_verdict_of_difference_alone(standard: ReportInputs):
    results = Results(standard)
    row = next(row for row in results.comparisons if row.metric == "write.bw" and row.variant == "waiting")
    said = "".join(before + link.label for before, link in beside.found(results, row))
    assert re.match(
        r": each write costs .* more suspended in `extend_file_size` .*, .* in 128 writes .*, 1 more `fdatasync` "
        r"\(0 to 1\), .* and ",
        said,
    )
    assert beside.found(results, replace(row, verdict="no difference shown")) == ()
    assert beside.found(results, replace(row, verdict="inconclusive")) == ()


def joined(results: Results, *clauses: Clause) -> str:
    return plain(
        "".join(before + link.label for before, link in beside.strung(results, "seq-write", clauses))
    )


def test_each_operation_is_spoken_of_once_and_not_of_what_comes_seldom(standard: ReportInputs):
    results = Results(standard)
    each, seldom = Clause(Link("#work", "A")), Clause(Link("#work", "B"), each=False)
    assert joined(results, each) == ": each write costs A"
    assert joined(results, each, each, seldom) == ": each write costs A, A and B"
    assert joined(results, seldom) == ": it takes B"
    assert joined(results, seldom, seldom, each, each) == ": it takes B, B, each write costs A and A"


def test_what_changed_by_most_is_told_first(
    standard: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    results = Results(standard)
    row = next(row for row in results.comparisons if row.metric == "write.bw" and row.variant == "waiting")

    def first(before_ms: float, after_ms: float, each: float) -> str:
        """Of the sentence, where requests were so long in flight, and each write costs so many calls for one."""
        folder = tmp_path / f"{after_ms}-{each}"
        folder.mkdir()
        seen_here = seen(folder, {"baseline": {"WRITE": before_ms}, "variant": {"WRITE": after_ms}})
        calls = replace(
            row, metric="work.read_per_op", unit="1", verdict="more work", family="work", typical_baseline=1.0,
            typical=each,
        )  # fmt: skip
        results.__dict__["comparisons"] = (calls,)
        monkeypatch.setattr(
            beside,
            "SOURCES",
            (work.clauses, lambda _, contrast, workload: spent.requests(seen_here, CONTRAST, "w")),
        )
        return plain(beside.found(results, row)[0][1].label)

    assert first(1.0, 2.0, 3.0) == "2 more `read` (1 to 3)"
    assert first(1.0, 4.0, 3.0).startswith("3 ms more in flight (1 ms to 4 ms)")
    assert first(4.0, 1.0, 3.0) == "2 more `read` (1 to 3)", "what takes less time is no reason to be slower"


def test_a_time_that_goes_against_the_verdict_is_told_last_and_as_what_it_is(
    standard: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Files are created faster, and all that the load asked was in flight for longer: one is no reason of the other."""
    results = Results(standard)
    row = next(row for row in results.comparisons if row.metric == "write.bw" and row.variant == "waiting")
    faster = replace(row, ratio=4.0, verdict="faster")
    waits = seen(tmp_path, {"baseline": {"WRITE": 1.0}, "variant": {"WRITE": 4.0}})
    calls = replace(
        row, metric="work.read_per_op", unit="1", verdict="less work", family="work", typical_baseline=3.0,
        typical=1.0,
    )  # fmt: skip
    results.__dict__["comparisons"] = (calls,)
    monkeypatch.setattr(beside, "SOURCES", (lambda *_: spent.requests(waits, CONTRAST, "w"), work.clauses))

    def said() -> str:
        return plain("".join(before + link.label for before, link in beside.found(results, faster)))

    time = "3 ms more in flight (1 ms to 4 ms), all of it in `WRITE`"
    assert said() == f": each operation costs 2 fewer `read` (3 to 1), yet {time}"
    results.__dict__["comparisons"] = ()
    assert said() == f", although each operation costs {time}"


def test_a_time_that_explains_the_verdict_stands_before_counters_that_grew_from_nothing(
    standard: ReportInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    results = Results(standard)
    row = next(row for row in results.comparisons if row.metric == "write.bw" and row.variant == "waiting")
    assert row.ratio is not None
    slower = 1 / row.ratio

    def first(after_ms: float, judged: Comparison = row) -> str:
        """Of the sentence, where a write waits so long instead of 1 ms, and makes two calls that it did not make."""
        folder = tmp_path / f"{after_ms}-{judged.word}"
        folder.mkdir()
        waits = seen(folder, {"baseline": {"WRITE": 1.0}, "variant": {"WRITE": after_ms}})
        timers = replace(
            row, metric="work.timerfd_create_per_op", unit="1", verdict="more work", family="work",
            typical_baseline=0.0, typical=2.0,
        )  # fmt: skip
        results.__dict__["comparisons"] = (timers,)
        requests = partial(spent.requests, waits, CONTRAST, "w")
        monkeypatch.setattr(beside, "SOURCES", (work.clauses, lambda *_: requests()))
        return plain(beside.found(results, judged)[0][1].label)

    assert "in flight" in first(1 + 0.6 * (slower - 1))
    assert first(1 + 0.4 * (slower - 1)).startswith("2 more `timerfd_create` (0 to 2)")
    faster = replace(row, ratio=1 / row.ratio, verdict="faster")
    assert first(slower, faster).startswith("2 more"), "more time explains nothing of what became faster"
