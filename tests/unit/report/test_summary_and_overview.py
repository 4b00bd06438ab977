"""The verdicts without the page, and the front page of all experiments."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuselab.report import counts
from fuselab.report.inputs import ReportInputs
from fuselab.report.overview import write_overview
from fuselab.report.page import failures
from fuselab.report.reading import Results
from fuselab.report.summary import write_summary


@pytest.fixture
def summary(awkward: ReportInputs, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    write_summary(awkward, tmp_path / "summary.md", tmp_path / "summary.json")
    return (tmp_path / "summary.md").read_text(), json.loads((tmp_path / "summary.json").read_text())


def test_the_summary_has_every_primary_comparison(summary, awkward: ReportInputs):
    _, data = summary
    assert len(data["comparisons"]) == len(awkward.plan.contrasts) * len(awkward.plan.primary)
    slower = data["comparisons"][0]
    assert slower["verdict"] == "slower"
    assert slower["ratio_low"] < slower["ratio"] < slower["ratio_high"] < 1


def test_a_comparison_without_a_ratio_is_null_and_not_a_number_of_its_own(summary):
    _, data = summary
    failed = [row for row in data["comparisons"] if row["verdict"] == "failed"]
    assert failed
    assert all(row["ratio"] is None for row in failed)


def test_the_markdown_is_a_table_that_names_cannot_break(summary):
    text, data = summary
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(data["comparisons"])
    assert len({row.count("|") for row in rows}) == 1
    assert "<script>" not in text


def test_a_failure_that_no_verdict_is_about_is_said(awkward: ReportInputs):
    """Whoever measures one variant alone, or swept it without a contrast, learns that it failed."""
    assert failures.uncompared(Results(awkward)) == ()
    alone = Results(awkward)
    alone.plan = replace(alone.plan, contrasts=())
    said = failures.uncompared(alone)
    assert said
    assert all(sentence.startswith("`broken` failed its verifying run: ") for sentence in said)


def test_the_markdown_begins_with_the_alarm(summary):
    text, _ = summary
    assert text.index("Control alarm") < text.index("| contrast")


def test_the_front_page_links_every_report_and_tells_its_verdicts(tree: Path):
    out = tree / "report.html"
    write_overview(tree, ["hidden-wait"], {}, out, by_hand=["awkward"])
    text = out.read_text()
    assert 'href="hidden-wait/report.html"' in text
    assert 'href="awkward/report.html"' in text
    assert "writes 3.3" in text
    assert "Made by hand" in text
    assert "<script" not in text


def test_a_broken_experiment_file_is_a_card_with_its_errors(tree: Path, tmp_path: Path):
    out = tmp_path / "report.html"
    write_overview(tree, [], {"misspelt": "misspelt.yaml:7: unknown key `<blokcs>`"}, out)
    assert "misspelt.yaml:7: unknown key `&lt;blokcs&gt;`" in out.read_text()


def test_a_report_whose_files_have_gone_stays_on_the_front_page(tree: Path, tmp_path: Path):
    shutil.copytree(tree / "awkward", tmp_path / "gone" / "awkward")
    (tmp_path / "gone" / "awkward" / "comparisons.csv").unlink()
    out = tmp_path / "gone" / "report.html"
    write_overview(tmp_path / "gone", ["awkward"], {}, out)
    text = out.read_text()
    assert 'href="awkward/report.html"' in text
    assert "cannot be read" in text


def test_the_front_page_leads_to_the_nights_of_an_experiment_that_has_some(tree: Path, tmp_path: Path):
    shutil.copytree(tree / "hidden-wait", tmp_path / "hidden-wait")
    out = tmp_path / "report.html"
    write_overview(tmp_path, ["hidden-wait"], {}, out)
    assert "history.html" not in out.read_text()
    (tmp_path / "hidden-wait/history.html").touch()
    write_overview(tmp_path, ["hidden-wait"], {}, out)
    assert 'href="hidden-wait/history.html"' in out.read_text()


def test_the_summary_names_what_ran(summary, awkward: ReportInputs):
    _, data = summary
    assert [variant["name"] for variant in data["variants"]] == awkward.plan.names()
    first = data["variants"][0]
    assert first["build"] == awkward.plan.variants[0].builds["none"]
    assert len(first["revision"]) == 40
    assert len(first["sha256"]) == 64


def test_a_card_keeps_date_machine_and_blocks_when_the_records_have_been_removed(
    standard: ReportInputs, tree: Path, tmp_path: Path
):
    folder = tmp_path / "hidden-wait"
    shutil.copytree(tree / "hidden-wait", folder)
    write_summary(standard, folder / "summary.md", folder / "summary.json")
    out = tmp_path / "report.html"
    write_overview(tmp_path, ["hidden-wait"], {}, out)
    before = out.read_text()
    shutil.rmtree(folder / "blocks")
    write_overview(tmp_path, ["hidden-wait"], {}, out)
    after = out.read_text()
    assert "6\N{NO-BREAK SPACE}blocks, 1\N{NO-BREAK SPACE}attempt voided" in before
    assert "6\N{NO-BREAK SPACE}blocks;" in after
    assert "voided" not in after
    leads = [re.findall(r'<p class="lead">.*', text)[1] for text in (before, after)]
    assert leads[0] == leads[1]
    when = r"measured <span class=.whole.>[-0-9]+</span> [:0-9]+ to [:0-9]+ UTC"
    assert re.search(rf"{when}.*on <code>bench-01</code>", leads[1])


def test_what_was_voided_is_known_without_records_where_the_comparisons_say_it(
    results: Results, standard: ReportInputs
):
    row = replace(results.comparisons[0], voided=3)
    without = Results(standard)
    without.blocks = {}
    assert counts.of_row(without, row) == "6\N{NO-BREAK SPACE}blocks, 3\N{NO-BREAK SPACE}attempts voided"


def test_page_and_front_page_say_the_same_time(standard_page: Path, tree: Path):
    out = tree / "report.html"
    write_overview(tree, ["hidden-wait"], {}, out)
    said = re.search(r"measured <span class=.whole.>[-0-9]+</span>[^<]* UTC", out.read_text())
    assert said
    assert said[0] in standard_page.read_text()
