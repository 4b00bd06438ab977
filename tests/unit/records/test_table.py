"""What is written as rows is read as the same rows, and what another version left is read as far as it goes."""

from pathlib import Path

import pytest

from fuselab.errors import UnreadableError
from fuselab.records.comparison import Comparison, CostComparison
from fuselab.records.table import read_rows, write_rows

ROW = CostComparison(
    "e", "1", "NA", "nan", "bench.a,b", unit="", better="lower", blocks=12, ratio=1 / 3, p=1e-05, p_adjusted=None,
    gated=True, note='failed: "x"\n    its last words', voided=0, profiler="perf", step="switched on",
)  # fmt: skip


def test_rows_are_read_as_they_were_written(tmp_path: Path):
    write_rows(tmp_path / "costs.csv", CostComparison, [ROW])
    assert read_rows(tmp_path / "costs.csv", CostComparison) == (ROW,)


def test_columns_of_another_version_are_passed_over_and_those_it_lacks_take_their_defaults(tmp_path: Path):
    path = tmp_path / "comparisons.csv"
    path.write_text("experiment,workload,baseline,variant,metric,later\ne,w,a,b,write.bw,7\n")
    assert read_rows(path, Comparison) == (Comparison("e", "w", "a", "b", "write.bw"),)


def test_a_file_that_is_cut_or_edited_is_named_with_the_mend(tmp_path: Path):
    path = tmp_path / "comparisons.csv"
    path.write_text("experiment,workload,baseline,variant,metric,blocks\ne,w,a,b,write.bw,twelve\n")
    with pytest.raises(UnreadableError, match=r"comparisons\.csv is not what fuselab left there .*delete it"):
        read_rows(path, Comparison)
