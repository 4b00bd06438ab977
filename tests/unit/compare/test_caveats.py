"""What a reader is told of runs that were not level or not left alone, beside a verdict that stands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fuselab.compare.attrition import NOTHING_LOST
from fuselab.compare.caveats import caveats
from fuselab.compare.comparisons import judge
from fuselab.compare.schedule import level_of
from fuselab.compare.signed_rank import interval
from fuselab.records.design import Design

PAIR = ("baseline", "waiting")
DESIGN = Design("e", "baseline", (PAIR,), ("w",), ("write.bw",))


def runs(blocks: int = 12, **slopes: float) -> pd.DataFrame:
    """Runs of the pair and of a third variant; `slopes`: planted change within a run (-0.2: 20 % less)."""
    rng = np.random.default_rng(4)
    rows = [
        ("w", block, variant, "write.bw", "B/s", 100 * worse * math.exp(rng.normal(0, 0.01)), "higher",
         math.log1p(slopes.get(variant, 0.0)) + rng.normal(0, 0.02))
        for block in range(1, blocks + 1)
        for variant, worse in (("baseline", 1.0), ("waiting", 0.7), ("other", 1.0))
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["workload", "block", "variant", "metric", "unit", "value", "better", "slope"]
    )


def said(frame: pd.DataFrame, design: Design = DESIGN) -> list[str]:
    return list(caveats(frame, PAIR, design, NOTHING_LOST))


def test_level_runs_are_not_doubted():
    assert said(runs()) == []


def test_throughput_that_falls_during_the_runs_is_said_of_whom_it_falls():
    (note,) = said(runs(waiting=-0.2))
    assert note.startswith("not level: throughput of `waiting` falls by 2")
    assert "12" in note
    (note,) = said(runs(baseline=0.3))
    assert "`baseline` rises by 3" in note
    assert len(said(runs(baseline=0.3, waiting=0.3))) == 2


def test_the_verdict_stands_and_says_so():
    (found,) = [row for row in judge(runs(waiting=-0.2), DESIGN) if row.variant == "waiting"]
    assert (found.verdict, found.gated) == ("slower", False)
    assert "not level" in found.note


def test_a_change_smaller_than_what_matters_is_no_doubt():
    assert said(runs(waiting=-0.08))
    assert said(runs(waiting=-0.08), replace(DESIGN, threshold=0.10)) == []


def test_chance_is_no_doubt():
    frame = runs()
    frame["slope"] = np.random.default_rng(5).normal(0, 0.3, len(frame))
    assert said(frame) == []


def test_a_third_variant_does_not_throw_doubt_on_the_pair():
    frame = runs(other=-0.5).assign(noisy=0, busy_start=0)
    frame.loc[frame["variant"] == "other", ["noisy", "busy_start"]] = 1
    assert said(frame) == []


@pytest.mark.parametrize("known", [0, 5])
def test_unknown_slopes_are_not_guessed_from_a_few(known):
    frame = runs(waiting=-0.5)
    frame.loc[frame["block"] > known, "slope"] = math.nan
    assert said(frame) == []
    assert said(frame.drop(columns="slope")) == []


def test_runs_that_started_on_a_busy_machine_are_counted():
    frame = runs().assign(noisy=0, busy_start=0)
    frame.loc[(frame["block"] <= 2) & (frame["variant"] == "waiting"), "busy_start"] = 1
    frame.loc[frame["block"] == 7, "noisy"] = 1
    noisy, alone, busy = said(frame)
    assert noisy == "the machine was never quiet for 1 of the blocks"
    assert alone.startswith("the 11 others alone give -3")
    assert busy == "the machine was not quiet before 2 of 24 runs, which started all the same"


def test_where_no_block_was_quiet_nothing_is_said_of_the_others():
    assert said(runs().assign(noisy=1)) == ["no block had a quiet machine"]


def test_quiet_blocks_alone_are_judged_by_themselves():
    frame = runs().assign(noisy=0)
    loud = (frame["variant"] == "waiting") & (frame["block"] <= 4)
    frame.loc[frame["block"] <= 4, "noisy"] = 1
    frame.loc[loud, "value"] *= 0.2
    quiet = frame[frame["block"] > 4].pivot(index="block", columns="variant", values="value")
    found = interval(quiet["baseline"], quiet["waiting"], level_of(DESIGN.blocks))
    assert f"the 8 others alone give {found.ratio - 1:+.1%} (" in " ".join(said(frame))
    frame.loc[frame["variant"] == "waiting", "value"] *= 10
    assert "the 8 others alone give 6.9 × (6.9 × to 7 ×)" in said(frame), (
        "seven times, in the form of the verdict"
    )
    frame.loc[frame["block"] <= 7, "noisy"] = 1
    assert "the 5 others alone are too few for an interval" in said(frame)
    frame.loc[frame["block"] <= 11, "noisy"] = 1
    assert "the other alone is too few for an interval" in said(frame)


def tails(**reached: float) -> pd.DataFrame:
    """Runs under a load that asks for 500 I/Os per second, of which each variant reaches so many."""
    rows = [
        ("w", block, variant, metric, unit, value + 0.01 * block, better, 50)
        for block in range(1, 13)
        for variant in PAIR
        for metric, unit, better, value in (
            ("write.iops", "1/s", "higher", reached.get(variant, 499.0)),
            ("write.p99", "ns", "lower", 1e6),
            ("write.p50", "ns", "lower", 1e5),
        )
    ]
    columns = ["workload", "block", "variant", "metric", "unit", "value", "better", "tail_ios"]
    return pd.DataFrame(rows, columns=columns)


def test_a_tail_of_a_variant_that_did_not_keep_up_with_the_rate_is_warned_about():
    design = replace(DESIGN, fixed_rates={"w": {"write.iops": 500.0}})
    notes = {row.metric: row.note for row in judge(tails(waiting=300), design)}
    assert "`waiting` reached 60% of the rate" in notes["write.p99"]
    assert "overloaded" not in notes["write.p50"] + notes["write.iops"]
    assert not any("overloaded" in row.note for row in judge(tails(), design))
    assert not any("overloaded" in row.note for row in judge(tails(waiting=300), DESIGN))
