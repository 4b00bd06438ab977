"""The picture that adds up: from what one operation takes on the baseline to what it takes on the variant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from fuselab.report.accounted import OUTSIDE, REST, Operation, Step, steps
from fuselab.report.figures import base, waterfall
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import because
from fuselab.report.reading import Results


def operation(outside_ns: float = 0.0, **rows: tuple[float, float, float]) -> Operation:
    """Each span with its wall time, and of that on the CPU and awaiting."""
    table = pd.DataFrame(
        [(name, *times) for name, times in rows.items()],
        columns=["name", "wall_ns", "oncpu_ns", "awaiting_ns"],
    )
    outside = pd.DataFrame([{"name": "(outside the target)", "wall_ns": outside_ns}])
    return Operation(pd.concat([table, outside] if outside_ns else [table]))


def test_each_cause_that_changed_is_a_step_and_all_of_them_add_up():
    before = operation(50, write=(100, 90, 5), extend=(20, 10, 5))
    after = operation(70, write=(100, 90, 5), extend=(420, 10, 405))
    found = steps(before, after)
    assert found == (Step("awaiting_ns", "extend", 400), Step(OUTSIDE, "", 20))
    assert before.whole_ns + sum(step.change_ns for step in found) == after.whole_ns == 590


def test_what_no_capture_explains_is_a_step_of_its_own():
    before, after = operation(write=(100, 90, 5)), operation(write=(200, 90, 5))
    assert steps(before, after) == (Step(REST, "", 100),)


def test_what_is_less_is_a_step_back():
    before, after = operation(write=(500, 90, 405)), operation(write=(100, 90, 5))
    assert steps(before, after) == (Step("awaiting_ns", "write", -400),)


def test_small_changes_are_one_step_together_and_none_where_nobody_could_see_it():
    before = operation(write=(1000, 1000, 0), a=(10, 10, 0), b=(10, 10, 0))
    after = operation(write=(2000, 1000, 1000), a=(20, 20, 0), b=(20, 20, 0))
    assert steps(before, after)[1:] == (Step("", "", 20),)
    assert steps(before, operation(write=(2000, 1000, 1000), a=(11, 11, 0), b=(10, 10, 0)))[1:] == ()


def test_a_part_that_one_side_did_not_capture_is_in_the_rest():
    before = Operation(pd.DataFrame([{"name": "write", "wall_ns": 100.0, "oncpu_ns": 90.0}]))
    after = operation(write=(200, 90, 105))
    assert steps(before, after) == (Step(REST, "", 100),)


def drawn(results: Results) -> Iterator[str]:
    return (drawing.name for drawing in because.drawings(results))


def test_every_contrast_that_differs_has_its_picture_and_a_control_has_none(standard: ReportInputs):
    results = Results(standard)
    (drawing,) = because.drawings(results)
    assert drawing.name == "because-seq-write-waiting-baseline"
    said = drawing.alt.replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        "One write: baseline to waiting: baseline 361 \N{MICRO SIGN}s; awaiting in extend_file_size +406 "
        "\N{MICRO SIGN}s; waiting 767 \N{MICRO SIGN}s"
    )
    assert list(drawing.data["to_ns"]) == pytest.approx([361224, 767347, 767347], abs=1)


def test_the_picture_says_in_which_line_of_which_commit_the_function_stands(standard: ReportInputs):
    (view,) = because.views(Results(standard))
    assert view.places == ("`extend_file_size` stands at `src/fs.rs:140`, revision 5164a43bd1e0.",)


def test_the_verdict_leads_to_its_picture(standard_page: Path):
    text = standard_page.read_text()
    assert (
        'href="#because-seq-write-waiting-baseline" aria-label="show me why waiting differs from baseline'
        in text
    )
    assert '<figure id="because-seq-write-waiting-baseline">' in text


def test_a_step_back_is_told_with_its_sign():
    sides = waterfall.Sides("old", "new", 500.0, 100.0)
    found = (Step("awaiting_ns", "write", -400.0),)
    made = waterfall.waterfall(
        "b", "One write", sides, found, "unexplained", "", base.places(["old", "new"]), base.NARROW_IN
    )
    assert "awaiting in write \N{MINUS SIGN}400" in made.alt
