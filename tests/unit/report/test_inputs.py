"""Which files a report is made of."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.unit.report.fixture import make, shaped

from fuselab.records.plan import read_plan
from fuselab.report.inputs import ReportInputs, find, given
from fuselab.report.page.render import page, write_report
from fuselab.report.reading import Results


def test_blocks_of_a_longer_plan_that_lie_beside_are_not_counted(tmp_path: Path):
    yaml = make(tmp_path / "results", shaped("bare", blocks=3))
    stray = next((tmp_path / "results/bare/blocks").glob("*/*/003"))
    (stray.parent / "004").mkdir()
    (stray.parent / "004" / "block.json").write_bytes((stray / "block.json").read_bytes())
    assert len(find(tmp_path / "results", yaml, "bare").blocks) == 3


def test_a_plan_that_lacks_newer_fields_is_read(tmp_path: Path):
    path = tmp_path / "plan.json"
    path.write_text('{"experiment": "old", "title": "Old", "variants": [{"name": "one"}]}')
    plan = read_plan(path)
    assert (plan.baseline, plan.threshold, plan.captures) == ("one", 0.05, ())


def test_a_report_is_made_where_everything_failed_and_nothing_was_captured(tmp_path: Path):
    yaml = make(tmp_path / "results", shaped("bare", blocks=2, failed=frozenset({"two"})))
    inputs = find(tmp_path / "results", yaml, "bare")
    write_report(inputs, inputs.folder / "report.html")
    text = (inputs.folder / "report.html").read_text()
    assert "No profiler was asked for" in text
    assert "✕" in text


def test_the_contents_list_no_profilers_where_nothing_was_profiled(tmp_path: Path):
    yaml = make(tmp_path / "results", shaped("bare", blocks=2))
    inputs = find(tmp_path / "results", yaml, "bare")
    listed = [section.key for section in page(inputs, inputs.folder / "report.html").sections]
    assert listed == ["verdicts", "runs", "provenance"]


def test_a_report_is_made_from_comparisons_without_intervals(tmp_path: Path):
    yaml = make(tmp_path / "results", shaped("bare", blocks=2))
    inputs = find(tmp_path / "results", yaml, "bare")
    lines = inputs.comparisons.read_text().splitlines()
    rows = [[*line.split(",")[:8], "", "", "", "inconclusive"] for line in lines[1:]]
    inputs.comparisons.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
    write_report(inputs, inputs.folder / "report.html")
    assert "inconclusive" in (inputs.folder / "report.html").read_text()


def test_a_file_that_is_no_json_is_named(standard: ReportInputs, tmp_path: Path):
    bad = tmp_path / "seq-write" / "spec" / "001" / "block.json"
    bad.parent.mkdir(parents=True)
    bad.write_text("{")
    with pytest.raises(ValueError, match=r"seq-write/spec/001/block\.json"):
        _ = Results(replace(standard, blocks=(bad,))).blocks


def test_plan_json_is_what_the_report_reads_back(standard: ReportInputs):
    assert msgspec.json.decode(msgspec.json.encode(standard.plan), type=type(standard.plan)) == standard.plan


class Given(list[str]):
    """Files and folders as Snakemake gives them to a rule: a list, some of it by name."""

    def __init__(self, inputs: ReportInputs, without: Path | None = None) -> None:
        files = [inputs.comparisons, inputs.metrics, *inputs.blindspots, *inputs.queries, inputs.costs]
        named = (inputs.blocks, inputs.verifies, inputs.profiles, inputs.diffs, inputs.builds)
        folders = [path.parent for paths in named for path in paths]
        self.plan = str(inputs.plan_file)
        given = (self.plan, *files, *folders)
        super().__init__(str(path) for path in given if path not in (without, None))


def test_a_report_is_made_of_what_its_rule_was_given_and_of_nothing_that_lies_beside_it(
    standard: ReportInputs,
):
    assert given(Given(standard), standard.experiment) == standard
    assert standard.costs is not None
    without_costs = given(Given(standard, without=standard.costs), standard.experiment)
    assert without_costs == replace(standard, costs=None)
    block = standard.blocks[-1]
    without_block = given(Given(standard, without=block.parent), standard.experiment)
    assert without_block == replace(standard, blocks=standard.blocks[:-1])
