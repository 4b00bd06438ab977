"""What a profiler counts stands side by side for all variants, with the difference, whichever profiler it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from fuselab.records.contrast import Contrast
from fuselab.records.profile import Profile
from fuselab.report.page import together
from fuselab.report.reading import Processed
from fuselab.report.words import MINUS, NBSP

OPERATIONS = 1000
COUNTED: dict[str, list[tuple[str, float, float]]] = {
    "baseline": [("READ", 1000, 90.0), ("GETATTR", 2, 5.0), ("OPEN", 1, 7.0), ("RELEASE", 0.5, 1.0)],
    "forgetful": [("READ", 1001, 120.0), ("GETATTR", 1000, 4.0)],
    "control": [("READ", 800, 91.0), ("GETATTR", 2, 5.0)],
}


@pytest.fixture
def results(tmp_path: Path) -> Any:
    """As much of `Results` as is asked for."""
    found = {}
    for name, rows in COUNTED.items():
        folder = tmp_path / name
        folder.mkdir()
        opcodes, requests, medians = zip(*rows, strict=True)
        pd.DataFrame({"opcode": opcodes, "requests": requests, "p50_us": medians}).to_parquet(
            folder / "table.parquet"
        )
        curves = [("READ", 1, percentile, 1000.0 * percentile) for percentile in (50, 90, 99)]
        pd.DataFrame(curves, columns=["name", "capture", "percentile", "latency_ns"]).to_parquet(
            folder / "latency.parquet"
        )
        seen = ("Never more than 1 is in flight.",) if name != "forgetful" else ("A GETATTR for each READ.",)
        profile = Profile("fuse-requests", "ok", "ns in flight", 1, 1, OPERATIONS, 0, (), findings=seen)
        found[name, "w", "fuse-requests"] = Processed(folder, profile)
    plan = SimpleNamespace(
        names=lambda: list(COUNTED),
        contrasts=[Contrast("baseline", "forgetful"), Contrast("baseline", "control")],
    )
    return SimpleNamespace(plan=plan, profiles=found)


def rows_of(table: Any) -> dict[str, tuple[str, ...]]:
    return {row[0].text: tuple(cell.text for cell in row[1:]) for row in table.rows}


def test_counts_stand_side_by_side_for_each_operation_with_their_difference(results: Any) -> None:
    counts, median, *_ = together.tables(results, "key", "fuse-requests", "w")
    assert [column.label for column in counts.columns] == ["opcode", "baseline", "forgetful", "control"]
    assert rows_of(counts) == {
        "READ": ("1.00", "1.00", f"0.800 ({MINUS}0.20)"),
        "GETATTR": ("0.00200", "1.00 (+1.00)", "0.00200"),
        "OPEN": ("0.00100", f"0 ({MINUS}0.0010)", f"0 ({MINUS}0.0010)"),
    }
    assert counts.more == f"1{NBSP}row with fewer than one in 1,000 operations: below."
    assert rows_of(median)["READ"] == (f"90.0{NBSP}µs", f"120{NBSP}µs", f"91.0{NBSP}µs")
    assert rows_of(median)["OPEN"] == (f"7.00{NBSP}µs", "", ""), "what was never seen has no time"


def test_without_operations_a_capture_is_what_is_divided_by(results: Any) -> None:
    for key, side in list(results.profiles.items()):
        profile = Profile("fuse-requests", "ok", "ns in flight", 1, 2, 0, 0, ())
        results.profiles[key] = Processed(side.folder, profile)
    counts, *_ = together.tables(results, "key", "fuse-requests", "w")
    assert "in each capture" in counts.caption
    assert rows_of(counts)["READ"][0] == "500"


def test_what_stands_out_is_said_once_of_all_that_have_it(results: Any) -> None:
    assert together.findings(results, "fuse-requests", "w") == (
        "`baseline` and `control`: Never more than 1 is in flight.",
        "`forgetful`: A GETATTR for each READ.",
    )


def test_each_of_the_first_names_has_a_curve_of_all_variants(results: Any) -> None:
    (drawing,) = together.drawings(results, "fuse-requests", "w")
    assert set(drawing.data["variant"]) == set(COUNTED)
    assert "READ in flight" in drawing.alt


def test_a_profiler_that_is_not_here_any_more_shows_nothing_together(results: Any) -> None:
    assert together.tables(results, "key", "gone", "w") == ()
    assert together.drawings(results, "gone", "w") == []
