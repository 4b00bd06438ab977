"""The part of a page on swept loads: what was planted in made-up results stands there in words, figures and a table."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from tests.unit.report import swept

from fuselab.files import write_json
from fuselab.records.places import VERIFY, Home
from fuselab.records.plan import Verifying
from fuselab.records.verified import Verified
from fuselab.report import counts
from fuselab.report.context import CurveView
from fuselab.report.embed import Carrier
from fuselab.report.figures.curves import Axis, Panel, against, levels
from fuselab.report.figures.drawing import inline
from fuselab.report.inputs import ReportInputs, find
from fuselab.report.page import curve_words, curves, provenance, verdict_table, verdicts
from fuselab.report.page.distributions import block_drawings
from fuselab.report.paper import latex, methods
from fuselab.report.reading import Results


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results(swept.make(tmp_path_factory.mktemp("one") / "results"))


@pytest.fixture(scope="module")
def view(one: Results) -> CurveView:
    (view,) = curves.curves(one)
    return view


def crossing(variant: str) -> float:
    """The depth at which `variant` and `old` have the same latency, by hand."""
    depth = 1.0
    while _latency(variant, depth) > _latency("old", depth):
        depth += 0.01
    return depth


def _latency(variant: str, depth: float) -> float:
    first, second = (swept.latency_ns(variant, d, 0) for d in (1, 2))
    return first + (second - first) * (depth - 1)


def test_a_planted_crossing_stands_there_with_how_far_it_is_known(view: CurveView) -> None:
    (said,) = [
        line for line in view.sentences if line.startswith("`batched` and `old` cross in write bandwidth")
    ]
    match = re.search(
        r"iodepth ([\d.]+) \(([\d.]+) to ([\d.]+)\): `batched` is lower below and higher above", said
    )
    assert match is not None
    at, low, high = map(float, match.groups())
    assert low <= at <= high
    assert at == pytest.approx(crossing("batched"), rel=0.05)


def test_the_highest_depth_within_the_limit_is_named_and_what_stops_it(view: CurveView) -> None:
    (said,) = [line for line in view.sentences if line.startswith("`old` keeps")]
    within = [d for d in swept.DEPTHS if 2.2 * swept.latency_ns("old", d, 0) < swept.LIMIT_NS]
    assert f"up to iodepth {within[-1]} (" in said
    assert f"at iodepth {2 * within[-1]} it does not (" in said


def test_the_first_screen_has_one_verdict_for_each_contrast_and_metric_of_the_whole_curve(
    one: Results,
) -> None:
    rows = verdicts.primary_rows(one)
    assert {row.workload for row in rows} == {"depths"}
    assert len(rows) == 6
    views, _ = verdicts.verdict_views(one)
    assert "over the 8" in views[0].sentence


def test_what_is_counted_at_the_ends_stands_below_the_verdict_on_the_curve(
    one: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths = one.plan.points["depths"]
    timed = next(row for row in one.comparisons if row.variant == "batched")
    counted = [
        replace(
            timed, workload=point, metric="work.futex_per_op", unit="1", verdict="more work", family="work",
            typical_baseline=1.0, typical=2.0 + number,
        )
        for number, point in enumerate(depths)
    ]  # fmt: skip
    monkeypatch.setitem(one.__dict__, "comparisons", (*one.comparisons, *counted))
    views = verdicts.verdict_views(one)[0]
    at = next(i for i, view in enumerate(views) if view.clauses)
    assert "over the 8" in views[at - 1].sentence
    assert [view.said for view in views if view.clauses] == [
        "`batched` against `old`, under `depths-iodepth-1`: each write costs 1 more `futex` (1 to 2).",
        "`batched` against `old`, under `depths-iodepth-128`: each write costs 8 more `futex` (1 to 9).",
    ]


def test_the_table_of_all_metrics_leaves_out_what_is_exploratory_at_single_points(one: Results) -> None:
    table = verdict_table.comparison_table(one, ())
    assert table is not None
    labels = [column.label for column in table.columns]
    at, metric = labels.index("workload"), labels.index("metric")
    assert {row[metric].text for row in table.rows if row[at].text != "depths"} == {"write.bw", "write.p99"}


def test_every_point_is_in_the_table_that_a_paper_gets(one: Results) -> None:
    (table,) = curves.tables(one)
    assert len(table.rows) == 2 * 8 * 3
    assert [row[0].text for row in table.rows[::3]][:8] == list(map(str, swept.DEPTHS))
    assert r"\begin{longtable}" in latex.latex(table)


def test_a_figure_has_a_line_for_each_variant_and_an_interval_at_each_value(one: Results) -> None:
    by_name = {drawing.name: drawing for drawing in curves.drawings(one)}
    assert list(by_name) == ["curve-depths-levels", "curve-depths-ratios", "curve-depths-against"]
    for drawing in (by_name["curve-depths-levels"], by_name["curve-depths-ratios"]):
        assert drawing.alt.split(":")[0].endswith("over iodepth 1, 2, 4, 8, 16, 32, 64, 128"), (
            "as a bundle lists it"
        )
        assert drawing.alt.count("over iodepth") == 1
    levels = by_name["curve-depths-levels"].data
    first = levels[levels["metric"] == "write.bw"]
    assert set(first["variant"]) == set(swept.VARIANTS)
    assert len(first) == 4 * 8
    assert (first["low"] < first["estimate"]).all()
    assert (first["estimate"] < first["high"]).all()


def test_labels_of_throughput_against_latency_lie_over_no_other_and_not_in_the_title(one: Results) -> None:
    (against,) = (d for d in curves.drawings(one) if d.name.endswith("against"))
    against.figure.draw_without_rendering()
    (axes,) = against.figure.axes
    labels = [text.get_window_extent() for text in axes.texts]
    assert {text.get_text() for text in axes.texts} == {"1", "128"}
    assert not [
        pair
        for pair in combinations([*labels, axes.title.get_window_extent()], 2)
        if pair[0].overlaps(pair[1])
    ]


def test_a_label_of_an_axis_is_not_rounded_with_the_places_of_marks(one: Results) -> None:
    rows = pd.DataFrame(
        {"variant": ["old", "old"], "text": ["1", "2"], "throughput": [5.0, 9.0], "estimate": [0.004, 0.009]}
    )
    drawing = against("small", [Panel("Latency", rows)], {"old": 0}, "rate", width_in=4)
    text = inline(drawing, "key")
    assert re.search(r">\s*0\.005\s*<", text)
    assert not re.search(r'="[^"]*\d\.\d{3,}', text)


def test_a_metric_that_only_some_values_have_is_drawn_over_the_whole_axis(one: Results) -> None:
    rows = pd.DataFrame(
        {"variant": ["old"], "value": [4.0], "text": ["4"], "estimate": [7.0], "low": [6.0], "high": [8.0]}
    )
    axis = Axis("iodepth", (1.0, 4.0, 16.0), ("1", "4", "16"))
    (axes,) = levels("some", [Panel("p99", rows)], axis, {"old": 0}, width_in=4).figure.axes
    low, high = axes.get_xlim()
    assert low < 1 < 16 < high


def test_a_limit_of_which_nothing_is_known_at_the_first_value_is_not_said_to_be_missed(
    tmp_path: Path,
) -> None:
    results = Results(swept.make(tmp_path, blocks=3))
    (view,) = curves.curves(results)
    said = [line for line in view.sentences if "4.00" in line]
    assert len(said) == len(swept.VARIANTS)
    for variant, line in zip(swept.VARIANTS, said, strict=True):
        assert line.startswith(f"Up to which value `{variant}` keeps p99 write latency within")
        assert "is not known: at iodepth 1 it cannot be told" in line


@pytest.mark.slow
def test_a_mark_of_a_curve_is_the_mean_of_its_points_and_no_run(one: Results) -> None:
    captions = {
        d.caption for _, drawings in block_drawings(one) for d in drawings if d.name.startswith("paired")
    }
    assert captions
    assert all("the geometric mean of one timed run at each point" in said for said in captions)


def test_what_holds_for_every_point_is_told_once_and_points_are_no_loads(
    one: Results, standard: ReportInputs
) -> None:
    other, (block, *_) = Results(one.inputs), Results(standard).blocks["seq-write"]
    other.blocks = dict.fromkeys(("swept-iodepth-1", "swept-iodepth-2"), (block, block))
    assert "4 blocks (2 of each of 2 points)" in counts.total(other).replace("\N{NO-BREAK SPACE}", " ")
    said = [
        line
        for line in methods.methods(other).replace("\N{NO-BREAK SPACE}", " ").split(". ")
        if "blocks each" in line
    ]
    assert len(said) == 1, "in one sentence"
    assert said[0].startswith("Of `swept-iodepth-1` and `swept-iodepth-2`, 2 blocks each were measured")


def test_a_second_axis_makes_small_multiples(tmp_path: Path) -> None:
    results = Results(swept.make(tmp_path / "results", two=True, blocks=6))
    (view,) = curves.curves(results)
    assert [len(drawing.figure.axes) for drawing in curves.drawings(results)][:2] == [3 * 3, 2 * 3]
    assert any("bs 64k" in line for line in view.sentences)


def test_the_verifying_runs_of_a_swept_mount_stand_with_the_values_that_they_are_of(tmp_path: Path) -> None:
    origin = swept.make(tmp_path, blocks=3)
    points = tuple(workload.name for workload in origin.plan.workloads)
    runs = (Verifying("old", "1" * 12, points[:2]), Verifying("old", "2" * 12, points[2:]))
    write_json(origin.plan_file, replace(origin.plan, verifying=runs))
    home = Home(origin.folder)
    for run, verified in zip(
        runs, (Verified("old", "failed", "returned wrong data"), Verified("old", "ok")), strict=True
    ):
        folder = home.verified(run.variant, run.spec)
        folder.mkdir(parents=True)
        write_json(folder / VERIFY, verified)
    results = Results(find(tmp_path, origin.experiment, "swept"))
    assert [verified.status for verified in results.verifies.values()] == ["failed", "ok"]
    table = provenance.provenance(results, Carrier(tmp_path / "report.html")).verifies
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["old", ", ".join(points[:2]), "failed", "returned wrong data"],
        ["old", ", ".join(points[2:]), "ok", ""],
    ]
    said = methods.methods(results)
    assert "in each way in which it was mounted," in said
    assert "`old` as mounted under `depths-iodepth-1` and `depths-iodepth-2` did not pass" in said


@pytest.mark.parametrize(
    ("values", "texts", "value", "said"),
    [
        ((4096.0, 16384.0), ("4k", "16k"), 8192.0, "8.0k"),
        ((0.0, 0.01, 0.02), ("0", "10ms", "20ms"), 0.005, "5.0ms"),
        ((0.0005, 0.001), ("lock-p99=500us", "lock-p99=1ms"), 0.0008, "lock-p99=800us"),
        ((40.0, 60.0, 80.0), ("40", "60", "80"), 70.0, "70"),
    ],
)
def test_a_place_between_points_is_told_in_the_unit_of_those(
    values: tuple[float, ...], texts: tuple[str, ...], value: float, said: str
) -> None:
    assert curve_words.place(Axis("axis", values, texts), value) == said
