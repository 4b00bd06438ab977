"""Tables, queries side by side, and what a page carries."""

import base64
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure

from fuselab.records.derived import QueryAnswer
from fuselab.report import embed, tables
from fuselab.report.embed import Carrier
from fuselab.report.figures import base, runs, stacked
from fuselab.report.figures.drawing import Drawing, inline
from fuselab.report.page import blindspots, inside_runs, queries
from fuselab.report.reading import Results


def test_a_column_names_its_unit_and_the_cell_shows_it():
    table = tables.from_records("t", "", ["name", "self_ns", "moved_bytes"], [["a", 2e9, 1024]])
    assert [column.label for column in table.columns] == ["name", "self", "moved"]
    assert [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in table.rows[0]] == [
        "a",
        "2.00 s",
        "1.00 KiB",
    ]
    assert [cell.sort for cell in table.rows[0]] == ["", "2000000000.0", "1024.0"]


def test_a_profiles_own_columns_are_in_its_unit():
    table = tables.from_records("t", "", ["function", "self"], [["f", 3_000_000]], profile_unit="ns on CPU")
    assert table.rows[0][1].text == "3.00\N{NO-BREAK SPACE}ms"


def test_movers_are_in_the_unit_that_their_file_names(standard_page: Path):
    text = standard_page.read_text()
    assert (
        "What moved from <code>baseline</code> to <code>waiting</code>, in ns on CPU per operation." in text
    )
    assert ">difference self<" in text


def test_a_text_that_ends_like_a_unit_stays_a_text():
    table = tables.from_records("t", "", ["open_s"], [["never"]])
    assert table.columns[0].label == "open s"
    assert table.rows[0][0].text == "never"


def test_what_was_on_its_way_where_the_unmount_would_have_begun_is_told(
    awkward_page: Path, standard_page: Path
):
    text = awkward_page.read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "counter uploads&lt;i&gt; at 0, within 60 s (after 0.75 s, 12 uploads&lt;i&gt; were on their way)"
        in text
    )
    assert ">12 uploads&lt;i&gt;</td>" in text, "of each run"
    assert "drained when" not in standard_page.read_text(), (
        "where the unmount is the drain there is nothing to say"
    )


def test_missing_values_are_empty_cells():
    table = tables.from_frame("t", "", pd.DataFrame({"n": [1.0, None], "name": ["a", None]}))
    assert [cell.text for cell in table.rows[1]] == ["", ""]


def test_a_table_of_millions_of_rows_is_not_read_whole(tmp_path: Path):
    path = tmp_path / "spans.parquet"
    pq.write_table(pa.table({"n": list(range(50_000))}), path)
    frame, total = tables.read_head(path, 10)
    assert (list(frame["n"]), total) == (list(range(10)), 50_000)


def test_the_rows_with_the_most_are_found_wherever_they_stand(tmp_path: Path):
    path = tmp_path / "tasks.parquet"
    pq.write_table(pa.table({"label": ["a", "b", "c", "d"], "busy_ns": [1, None, 9, 4]}), path)
    frame, total = tables.read_largest(path, "busy_ns", 2)
    assert (list(frame["label"]), total) == (["c", "d"], 4)


def test_a_stack_shows_its_innermost_frames_and_unfolds_the_others():
    table = tables.from_records("t", "", ["stack"], [["main;serve;write;copy"], ["main;idle"]])
    folded, short = table.rows[0][0], table.rows[1][0]
    assert folded.text == "copy ← write ← serve"
    assert folded.stack == ("copy", "write", "serve", "main")
    assert (short.text, short.stack) == ("idle ← main", ())


def test_a_graph_that_is_there_as_pdf_too_links_it(tmp_path: Path) -> None:
    for name in ("jeprof.svg", "jeprof.pdf", "flamegraph.svg"):
        (tmp_path / name).write_text("<svg></svg>")
    carrier = Carrier(tmp_path / "report.html")
    graph, other = (carrier.picture(tmp_path / name, name) for name in ("jeprof.svg", "flamegraph.svg"))
    assert [(link.href, link.label) for link in graph.links][1:] == [("jeprof.pdf", "PDF")]
    assert len(other.links) == 1


def test_the_data_behind_a_table_is_carried_up_to_a_limit_and_says_so(tmp_path: Path, monkeypatch):
    carrier, data = Carrier(tmp_path / "report.html"), pd.DataFrame({"n": range(1000)})
    assert [link.label for link in carrier.table(data, "t", 1000)] == ["data (CSV)"]
    assert carrier.table(data.head(10), "t", 1000)[0].label == "data (CSV, about the first 10 rows)"
    monkeypatch.setattr(embed, "_TABLE_BYTES", 200)
    (cut,) = carrier.table(data, "t", 1000)
    rows = base64.b64decode(cut.href.partition("base64,")[2]).decode().splitlines()
    assert 40 < len(rows) < 110
    assert "about the first" in cut.label
    assert rows[-1].isdigit()


def test_data_beyond_what_a_page_may_carry_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embed, "TABLES_BYTES", 6000)
    carrier, data = Carrier(tmp_path / "report.html"), pd.DataFrame({"n": range(1000)})
    labels = [[link.label for link in carrier.table(data, "t", 1000, tmp_path / "t.csv")] for _ in range(2)]
    assert labels == [["data (CSV)", "t.csv"], ["t.csv"]]


def test_threads_that_wait_for_work_are_no_operation(tmp_path: Path):
    table = pd.DataFrame(
        {"name": ["write", "(outside any span)"], "blocked_ns": [5.0, 9e9], "oncpu_ns": [2.0, 1.0]}
    )
    assert list(blindspots.totals(table)) == [7.0, 0.0]


def operations(**columns: list[float | None]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"name": [f"operation_{i}" for i in range(count)], **columns}, dtype=object).astype(
        dict.fromkeys(columns, float)
    )


def test_a_bar_is_as_long_as_its_operation_took_whatever_was_sampled():
    spans = operations(
        wall_ns=[100, 52, 80], oncpu_ns=[30, 0, 200], blocked_ns=[20, 0, 100], awaiting_ns=[40, 0, 20],
        unexplained_ns=[10, 52, -240],
    )  # fmt: skip
    shown = stacked.bars(spans)
    assert list(shown.widths.sum(axis=1)) == [100, 52, 80]
    assert list(shown.widths["rest_ns"]) == [10, 52, 0]
    assert list(shown.capped) == [False, False, True]
    assert list(shown.widths.loc[2, ["oncpu_ns", "blocked_ns", "awaiting_ns"]]) == [40, 20, 20]


def drawn_of(caption: str = "", **sides: pd.DataFrame) -> Drawing:
    ordered = blindspots.ordered(sides)
    return stacked.operations("b", ordered, "for each write", base.WIDE_IN, caption)


def legend(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.figure.legends[0].get_texts()]


def test_variants_stand_beside_each_other_in_one_order():
    before = operations(wall_ns=[100, 50], oncpu_ns=[100, 50])
    after = operations(wall_ns=[100, 900], oncpu_ns=[100, 50], awaiting_ns=[0, 850])
    drawn = drawn_of(baseline=before, waiting=after)
    assert "operation_1: baseline 50" in drawn.alt.split(";")[0]
    assert "waiting 900" in drawn.alt.split(";")[0]
    assert list(drawn.data["variant"]) == ["baseline", "baseline", "waiting", "waiting"]
    assert list(drawn.data["name"]) == ["operation_1", "operation_0"] * 2


def test_many_variants_leave_room_for_fewer_operations():
    spans = operations(wall_ns=[float(100 + i) for i in range(20)], oncpu_ns=[1.0] * 20)
    sides = {f"v{i}": spans for i in range(30)}
    assert {len(table) for table in blindspots.ordered(sides).values()} == {1}
    assert len(blindspots.ordered({"v0": spans})["v0"]) == blindspots.SHOWN


def test_a_figure_marks_the_bars_that_are_scaled_down_and_says_why():
    drawn = drawn_of(baseline=operations(wall_ns=[100, 80], oncpu_ns=[30, 200], awaiting_ns=[40, 20]))
    said = drawn.alt.replace("\N{NO-BREAK SPACE}", " ")
    assert "operation_0: baseline 100 ns; operation_1: baseline 80.0 ns *" in said
    assert "The captures are different runs: more time was found" in drawn.caption
    assert list(drawn.data["oncpu_ns"]) == [30, 200]
    assert list(drawn.data["drawn_oncpu_ns"]) == [30, 60]


def test_requests_are_drawn_with_their_queue_and_what_is_for_none_of_them_is_not():
    """As the table of requests has them, in the columns of operations."""
    table = operations(
        wall_ns=[100, 0], queued_ns=[40, 0], oncpu_ns=[10, 9], blocked_ns=[30, 0], awaiting_ns=[20, 0]
    )
    drawn = drawn_of(stacked.IN_FLIGHT, baseline=table)
    assert legend(drawn) == ["on CPU", "off CPU, blocked", "queued", "awaiting"]
    assert drawn.alt.startswith(
        "Time in flight for each write, by operation and variant, stacked: operation_0"
    )
    assert "operation_1" not in drawn.alt
    assert list(drawn.data["drawn_queued_ns"]) == [40]
    assert "in the queue before the program picked them up" in drawn.caption


def test_without_poll_time_the_rest_may_be_a_wait():
    drawn = drawn_of(baseline=operations(wall_ns=[100], oncpu_ns=[30]))
    assert legend(drawn) == ["on CPU", "awaiting or unexplained"]
    assert "Poll time was not captured" in drawn.caption


@pytest.mark.parametrize("ends", [(1.3e6, 1.05e7), (4.1e6, 4.9e6), (4e4, 9e6), (2e3, 9e8)])
def test_an_axis_of_latencies_has_three_labels_at_least(ends):
    low, high = ends
    curves = pd.DataFrame(
        {
            "variant": "baseline",
            "block": 1,
            "percentile": [50.0, 99.0, 99.9],
            "latency_ns": [low, (low + high) / 2, high],
        }
    )
    (axes,) = runs.percentiles("latency", curves, {"baseline": 0}, "Write").figure.axes
    low, high = axes.get_ylim()
    labelled = [
        t for t in axes.yaxis.get_majorticklocs() if low <= t <= high and axes.yaxis.get_major_formatter()(t)
    ]
    assert 3 <= len(labelled) <= 9


def test_throughput_counts_from_the_first_entry_of_a_runs_log(results: Results):
    series = inside_runs.throughput(results.runs)
    assert set(series.groupby(["variant", "run"])["time_s"].min()) == {0.0}
    assert series["time_s"].max() == pytest.approx(7)


def answers(**rows) -> dict[str, QueryAnswer]:
    return {name: QueryAnswer("t", "s", ("name", "n"), tuple(found)) for name, found in rows.items()}


def test_answers_with_the_same_rows_stand_side_by_side():
    joined, apart = queries.side_by_side(
        Carrier(Path("report.html")), "q", answers(one=[("write", 1), ("read", 2)], two=[("write", 3)])
    )
    assert joined is not None
    assert [column.label for column in joined.columns] == ["name", "one: n", "two: n"]
    assert [[cell.text for cell in row] for row in joined.rows] == [
        ["write", "1", "3"],
        ["read", "2", ""],
    ]
    assert apart == []


def test_answers_whose_rows_cannot_be_told_apart_stand_alone():
    joined, apart = queries.side_by_side(
        Carrier(Path("report.html")),
        "q",
        answers(one=[("write", 1), ("write", 2)], two=[("write", 3)]),
        ", rand",
    )
    assert joined is None
    assert [answer.label for answer in apart] == ["one, rand", "two, rand"]


def test_a_picture_too_large_for_a_page_becomes_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embed, "LARGEST_BYTES", 50)
    path = tmp_path / "flamegraph.svg"
    path.write_text(
        '<svg height="158" width="1200">' + "".join(f"<g>{i * i}</g>" for i in range(500)) + "</svg>"
    )
    carrier = Carrier(tmp_path / "report.html")
    picture = carrier.picture(path, "on CPU")
    assert (picture.embed, carrier.embeds, picture.links[0].href) == (None, (), "flamegraph.svg")


def test_pictures_beyond_the_budget_become_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "flamegraph.svg"
    path.write_text('<svg height="10"></svg>')
    carrier = Carrier(tmp_path / "report.html")
    monkeypatch.setattr(carrier, "_left", 2 * len(_payload(path)))
    assert [carrier.picture(path, "").embed is not None for _ in range(3)] == [True, True, False]


def _payload(path: Path) -> str:
    carrier = Carrier(path)
    carrier.picture(path, "")
    return carrier.embeds[0].payload


def test_movers_and_flamegraphs_are_found_for_every_contrast(results: Results):
    contrasts = {key[0] for key in results.diffs}
    assert contrasts == {"waiting-vs-baseline", "control-vs-baseline"}
    assert all(diff.picture and diff.movers for diff in results.diffs.values())


def test_a_label_that_xml_cannot_hold_breaks_no_page() -> None:
    figure = Figure()
    figure.subplots().set_title("re\x1b[31md\x00\ufffe")
    drawing = Drawing("strange", figure, pd.DataFrame(), alt="a title")
    assert "re[31md" in inline(drawing, "key")


def many_runs(variants: int, runs_each: int) -> pd.DataFrame:
    rows = [
        (f"v{variant}", block, percentile, 1000.0 + block + percentile)
        for variant in range(variants)
        for block in range(runs_each)
        for percentile in (50.0, 99.0)
    ]
    return pd.DataFrame(rows, columns=["variant", "block", "percentile", "latency_ns"])


@pytest.mark.parametrize(("variants", "bands"), [(2, 2), (30, 0)])
def test_of_more_runs_than_an_eye_can_follow_the_spread_is_drawn(variants: int, bands: int):
    few = runs.percentiles("few", many_runs(variants, 1), {f"v{i}": i for i in range(variants)}, "Write")
    many = runs.percentiles("many", many_runs(variants, 50), {f"v{i}": i for i in range(variants)}, "Write")
    assert "Every run is one line" in few.caption
    assert len(few.data) == 2 * variants
    assert "Of so many runs" in many.caption
    assert len(many.data) == 2 * variants, "two percentiles of each variant, however many runs there are"
    assert list(many.data["latency_p50_ns"])[:2] == [1074.5, 1123.5]
    assert len(many.figure.axes[0].collections) == bands


def test_lines_join_what_is_compared_and_nothing_else():
    values = (
        many_runs(3, 2).query("percentile == 50").rename(columns={"latency_ns": "value"}).assign(unit="ns")
    )
    places, pairs = base.places(["v0", "v1", "v2"]), [("v0", "v1"), ("v0", "v2")]

    def drawn(pairs: list[tuple[str, str]]) -> tuple[list[str], int]:
        (axes,) = runs.paired("p", values, places, "Latency", pairs).figure.axes
        joining = [line for line in axes.lines if line.get_linestyle() == "-"]
        return [label.get_text() for label in axes.get_xticklabels()], len(joining)

    assert drawn(pairs) == (["v0", "v1", "v0", "v2"], 4)
    assert drawn([]) == (["v0", "v1", "v2"], 0)


def test_of_more_variants_than_colours_each_is_a_row_and_the_ends_alone_have_a_colour():
    many = 30
    places = base.places([f"v{i}" for i in range(many)])
    once = many_runs(many, 12).query("percentile == 50")
    values = once.assign(
        unit="ns", value=[1000 + 50 * places[v] + b for v, b in zip(once.variant, once.block, strict=True)]
    )
    (axes,) = runs.paired("p", values, places, "Latency").figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(places)
    drawn = runs.over_blocks("b", values[values.variant != "v29"], places, "Latency")
    (axes,) = drawn.figure.axes
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["v0", "v28"]
    assert len(axes.lines) == many - 1
    assert base.FEW_NAMED in drawn.caption
    assert base.FEW_NAMED in runs.percentiles("l", many_runs(many, 1), places, "Write").caption
    few = runs.over_blocks("b", values[values.variant.isin(["v0", "v1"])], places, "Latency")
    assert base.FEW_NAMED not in few.caption


def test_a_figure_with_thousands_of_runs_has_no_mark_for_each():
    values = (
        many_runs(2, 500).query("percentile == 50").rename(columns={"latency_ns": "value"}).assign(unit="ns")
    )
    drawn = runs.paired("many", values, {"v0": 0, "v1": 1}, "Latency")
    assert len(drawn.figure.axes[0].lines) == 2, "the medians"
    assert list(drawn.data["runs"]) == [500, 500]
