"""Loads that took turns are not compared where work falls into the slices of others: that would hide a difference."""

import math

import numpy as np
import pandas as pd
import pytest

from fuselab.compare.carry_over import CarryOver, carry_over
from fuselab.compare.comparisons import judge
from fuselab.compare.signed_rank import Interval
from fuselab.records.design import Design
from fuselab.records.slices import Slice, added_up


def runs(
    variant: str, carried: float = 0.0, disk: float = 1e6, pressure: float = 0.0, blocks: int = 8
) -> pd.DataFrame:
    rng = np.random.default_rng(len(variant))
    return pd.DataFrame(
        {
            "workload": "w",
            "block": range(1, blocks + 1),
            "variant": variant,
            "metric": "write.bw",
            "unit": "B/s",
            "better": "higher",
            "value": 1e8 * np.exp(rng.normal(0, 0.01, blocks)),
            "carried": carried,
            "disk_per_s": disk * np.exp(rng.normal(0, 0.02, blocks)),
            "io_pressure": pressure,
        }
    ).set_index("block", drop=False)


def test_sides_that_work_in_their_own_slices_are_compared():
    assert carry_over(runs("old", 0.01), runs("new", 0.02, disk=2e6)) is None, "the disk held nobody up"
    assert carry_over(runs("old", pressure=0.3), runs("new", pressure=0.3)) is None, "both give it as much"


def test_work_in_the_slices_of_others_is_named_with_whose_it_is():
    found = carry_over(runs("old", 0.1), runs("new", 0.54))
    assert found is not None
    assert found.bound == 0.54
    assert found.words.startswith("`new` and its services compute in the slices of others, 0.54 s")


def test_more_for_a_disk_that_holds_somebody_up_is_named():
    found = carry_over(runs("old", pressure=0.3), runs("new", disk=2e6, pressure=0.3))
    assert found is not None
    assert found.bound == 0.3
    assert "30% of the time" in found.words


def test_one_block_that_dirties_more_is_chance():
    new = runs("new", pressure=0.3)
    new["disk_per_s"] *= [1, 1, 20, 1, 1, 1, 1, 1]
    assert carry_over(runs("old", pressure=0.3), new) is None


def test_runs_of_their_own_have_nothing_to_carry():
    bare = runs("old")[["block", "variant", "value"]]
    assert carry_over(bare, bare.assign(variant="new")) is None


@pytest.mark.parametrize(
    ("low", "high", "hidden"),
    [(0.95, 1.02, True), (0.75, 0.85, True), (0.5, 0.79, False), (1.2, 1.3, True), (1.3, 1.5, False)],
)
def test_what_lies_wholly_beyond_the_bound_is_not_hidden(low, high, hidden):
    ratio = Interval(8, 0.95, math.sqrt(low * high), low, high, 0.01)
    assert CarryOver(0.2, "").hides(ratio) == hidden
    assert CarryOver(1.5, "").hides(ratio), "who does more elsewhere than it has time"


def test_a_verdict_is_withheld_and_its_ratio_is_shown():
    design = Design("e", "old", (("old", "new"),), ("w",), ("write.bw",), blocks=8)
    slow = runs("new", carried=0.5)
    slow["value"] *= 0.6
    rows = judge(pd.concat([runs("old"), slow], ignore_index=True), design)
    assert [row.verdict for row in rows] == ["inconclusive"]
    assert rows[0].ratio is not None
    assert rows[0].ratio < 0.7
    assert "design: blocks" in rows[0].note
    slow["value"] *= 0.5
    rows = judge(pd.concat([runs("old"), slow], ignore_index=True), design)
    assert [row.verdict for row in rows] == ["slower"]
    assert "which is less than the difference" in rows[0].note


def each(number: int, whose: str, variant: str, moved: int, cpu_s: float, disk: int = 0) -> Slice:
    return Slice(number, (number + 1) // 2, whose, 0.1 * number, 0.09, variant, 0, moved, cpu_s, disk, 0, 0)


def test_slices_add_up_to_what_each_did_and_how_much_of_it_beside_others():
    slices = [
        each(1, "old", "old", 900, 0.04, 100), each(1, "old", "new", 0, 0.02),
        each(2, "new", "old", 0, 0.01), each(2, "new", "new", 300, 0.06),
    ]  # fmt: skip
    old, new = (added_up(slices, name) for name in ("old", "new"))
    assert (old.written_bytes, old.read_bytes, old.seconds) == (900, 0, 0.09)
    assert (old.carried, new.carried) == (0.01 / 0.09, 0.02 / 0.09)
    assert (old.disk_per_s, new.disk_per_s) == (100 / 0.09, 0.0)
