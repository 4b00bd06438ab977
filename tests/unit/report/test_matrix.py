"""All verdicts at one look, where they are too many to be read."""

from dataclasses import replace

from fuselab.report.context import VerdictView
from fuselab.report.page.matrix import FROM, matrix


def view(baseline: str, variant: str, workload: str) -> VerdictView:
    return VerdictView(
        "slower", "", "slower", f"{variant} under {workload}", cell=(baseline, variant, workload)
    )


def test_few_verdicts_are_read():
    assert matrix([view("a", f"v{i}", "w") for i in range(FROM - 1)]) is None


def test_each_contrast_is_a_row_and_each_load_a_column_and_what_was_not_judged_is_empty():
    views = [view("a", f"v{i}", w) for i in range(4) for w in ("read", "write")]
    found = matrix([*views, view("b", "v0", "stat")])
    assert found is not None
    assert found.workloads == ("read", "write", "stat")
    assert [row.label for row in found.rows][-2:] == ["`v3` against `a`", "`v0` against `b`"]
    assert found.rows[0].cells == (views[0], views[1], None)


def test_a_baseline_that_all_share_is_not_repeated():
    found = matrix([view("a", f"v{i}", "w") for i in range(FROM)])
    assert found is not None
    assert found.rows[0].label == "`v0`"


def test_the_figure_that_all_cells_are_of_is_said_once():
    views = [replace(view("a", f"v{i}", "w"), noun="write bandwidth", change="-3 %") for i in range(FROM)]
    found = matrix(views)
    assert found is not None
    assert found.noun == "write bandwidth"
    found = matrix([*views, replace(view("a", "v0", "read"), noun="read bandwidth", change="-3 %")])
    assert found is not None
    assert found.noun == ""
