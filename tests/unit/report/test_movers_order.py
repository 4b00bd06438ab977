"""Which row of the movers a reader sees first."""

from pathlib import Path

import pandas as pd

from fuselab.records.contrast import Contrast
from fuselab.records.plan import ProfilerPlan
from fuselab.report.arising import arising, by_change
from fuselab.report.embed import Carrier
from fuselab.report.page.profiles import difference
from fuselab.report.reading import Diff


def movers(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["function", "moved", "difference_self", "difference_total"])


def test_the_function_at_fault_comes_before_its_callers_and_the_runtime() -> None:
    table = movers(
        ("tokio::runtime::park", "both", -900.0, -900.0),
        ("core::ptr::copy", "both", 300.0, 300.0),
        ("demofs::fs::write", "total", 1.0, 610.0),
        ("demofs::fs::extend_file_size", "both", 300.0, 600.0),
        ("demofs::fs::getattr", "no", 5.0, 900.0),
    )
    ordered = by_change(table, frozenset({"demofs"}))
    assert list(ordered["function"]) == [
        "demofs::fs::extend_file_size", "demofs::fs::write", "tokio::runtime::park", "core::ptr::copy",
    ]  # fmt: skip


def test_a_change_stands_where_it_arose_and_then_by_who_hands_it_up_the_nearest_first(tmp_path: Path) -> None:
    stacks = tmp_path / "diff.folded"
    stacks.write_text(
        "main;demofs::serve;demofs::fs::write;demofs::burn::{{closure}};core::ptr::copy 10 700\n"
        "main;demofs::serve;demofs::fs::write;demofs::burn;clock_gettime 5 300\n"
        "main;demofs::serve;demofs::fs::write;demofs::checksum 400 420\n"
    )
    table = movers(
        ("demofs::serve", "total", 0.0, 1005.0),
        ("demofs::fs::write", "total", 0.0, 1006.0),
        ("core::ptr::copy", "both", 690.0, 690.0),
        ("demofs::burn", "total", 0.0, 985.0),
        ("demofs::checksum", "self", 20.0, 20.0),
    )
    ordered = by_change(table, {"demofs"}, arising(stacks, {"demofs"}))
    assert list(ordered["function"]) == [
        "demofs::burn", "demofs::fs::write", "demofs::serve", "demofs::checksum", "core::ptr::copy",
    ]  # fmt: skip


def test_where_no_row_can_be_told_from_noise_no_row_says_so() -> None:
    ordered = by_change(
        movers(("write", "cannot tell", 1.0, 2.0), ("read", "cannot tell", 2.0, 2.0)), frozenset()
    )
    assert "moved" not in ordered
    assert list(ordered["function"]) == ["read", "write"]


def test_the_page_lists_none_that_stood_still_and_keeps_them_in_the_data(tmp_path: Path) -> None:
    def table(*rows: tuple[str, str, float, float]):
        movers(*rows).to_csv(tmp_path / "movers.csv", index=False)
        plan = ProfilerPlan("jemalloc-heap", "heap", "bytes", "", "")
        carrier, contrast = Carrier(tmp_path / "report.html"), Contrast("baseline", "waiting")
        (found,) = difference(carrier, "h", plan, Diff(tmp_path), contrast, frozenset()).tables
        return found

    still, kept = ("cache", "no", 0.0, 0.0), ("keep", "cannot tell", 64.0, 64.0)
    found = table(kept, still)
    assert [row[0].text for row in found.rows] == ["keep"]
    assert found.links
    none = table(still)
    assert not none.rows
    assert none.caption == "No function moved from `baseline` to `waiting`: the data has all 1 looked at."
    assert none.links
