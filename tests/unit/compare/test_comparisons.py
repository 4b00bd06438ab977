"""From tidy metrics to comparisons.csv: every row that must be there, with the verdict it must have."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fuselab.compare.aa_check import check_controls
from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.compare.comparisons import decide_look, family_size, judge
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design
from fuselab.records.table import columns

COLUMNS = columns(Comparison)

DESIGN = Design(
    experiment="quickstart",
    baseline="baseline",
    contrasts=(("baseline", "waiting"),),
    workloads=("seq-write",),
    primary=("write.bw", "write.p99"),
    controls=("control",),
)
PROMISED = [
    *("experiment", "workload", "baseline", "variant", "metric", "unit", "better", "blocks"),
    *("ratio", "ratio_low", "ratio_high", "verdict"),
]
METRICS = {
    "write.bw": ("bytes/s", "higher", math.nan),
    "write.p99": ("ns", "lower", 50),
    "write.p50": ("ns", "lower", 5000),
    "target.cpu_s": ("s", "lower", math.nan),
}


def metrics(
    slowdown: dict[str, float],
    *,
    blocks: int = 12,
    workloads: tuple[str, ...] = ("seq-write",),
    sd: float = 0.01,
    seed: int = 1,
) -> pd.DataFrame:
    """Runs of each variant of `slowdown` (1.3: 30 % worse in every metric), with noise of sd `sd`."""
    rng = np.random.default_rng(seed)
    rows = []
    for workload in workloads:
        for block in range(1, blocks + 1):
            for variant, factor in slowdown.items():
                for metric in METRICS:
                    unit, better, tail_ios = METRICS[metric]
                    worse = factor if better == "lower" else 1 / factor
                    value = 1e6 * worse * math.exp(rng.normal(0, sd))
                    rows.append(
                        ("quickstart", workload, block, variant, metric, unit, value, better, tail_ios)
                    )
    columns = ["experiment", "workload", "block", "variant", "metric", "unit", "value", "better", "tail_ios"]
    return pd.DataFrame(rows, columns=columns)


def compare(runs: pd.DataFrame, design: Design) -> pd.DataFrame:
    """comparisons.csv as a table."""
    return pd.DataFrame([vars(row) for row in judge(runs, design)], columns=list(COLUMNS))


def row(
    rows: list[Comparison], variant: str, metric: str = "write.bw", workload: str = "seq-write"
) -> Comparison:
    found = [r for r in rows if (r.variant, r.metric, r.workload) == (variant, metric, workload)]
    assert len(found) == 1
    return found[0]


def failing(*failed: FailedVariant) -> Attrition:
    return Attrition(failed=failed)


def ends(found: Comparison) -> tuple[float, float]:
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    return found.ratio_low, found.ratio_high


@pytest.fixture(scope="module")
def quickstart():
    return metrics({"baseline": 1, "waiting": 1.3, "control": 1})


def test_the_file_has_the_columns_that_others_read(quickstart):
    table = compare(quickstart, DESIGN)
    assert list(table.columns) == list(COLUMNS)
    assert list(table.columns[: len(PROMISED)]) == PROMISED
    assert len(table) == 2 * len(METRICS)
    assert not table.duplicated(["workload", "baseline", "variant", "metric"]).any()


def test_an_injected_slowdown_is_found_and_the_control_is_not(quickstart):
    rows = judge(quickstart, DESIGN)
    bandwidth, latency = row(rows, "waiting"), row(rows, "waiting", "write.p99")
    assert (bandwidth.verdict, latency.verdict) == ("slower", "slower")
    for found, truth in ((bandwidth, 1 / 1.3), (latency, 1.3)):
        low, high = ends(found)
        assert low < truth < high
    assert row(rows, "control").verdict == "no difference shown"
    assert (bandwidth.blocks, bandwidth.level, bandwidth.unit, bandwidth.better) == (
        12,
        0.95,
        "bytes/s",
        "higher",
    )


def test_each_row_says_what_it_was_corrected_for(quickstart):
    rows = judge(quickstart, DESIGN)
    bandwidth = row(rows, "waiting")
    assert (bandwidth.family, bandwidth.correction) == ("primary", "Holm over 2")
    assert bandwidth.p == 2 / 2**12
    assert bandwidth.p_adjusted == 2 * bandwidth.p
    cpu = row(rows, "waiting", "target.cpu_s")
    assert (cpu.family, cpu.correction) == ("exploratory", "Benjamini-Hochberg over 2, exploratory")
    control = row(rows, "control")
    assert (control.family, control.correction, control.p_adjusted) == ("control", "none", control.p)


def test_the_family_is_contrasts_by_workloads_by_primary_metrics_without_controls(quickstart):
    assert family_size(quickstart, DESIGN) == 2
    wide = replace(
        DESIGN, contrasts=(("baseline", "waiting"), ("waiting", "other")), workloads=("seq-write", "later")
    )
    assert family_size(quickstart, wide) == 2 * 2 * 2
    knowing = replace(wide, primary_of=dict.fromkeys(wide.workloads, wide.primary[:1]))
    assert family_size(quickstart.head(0), knowing) == 2 * 2
    reads = quickstart.assign(workload="later", metric=quickstart["metric"].str.replace("write", "read"))
    # A workload that only reads has no write metrics to correct for.
    assert family_size(pd.concat([quickstart, reads]), wide) == 2 * 2


def test_significance_alone_is_not_enough_in_a_large_family(quickstart):
    # One rank of seven against the rest: p = 0.0093, whatever the sizes.
    steps = [0.02 * rank * (-1 if rank == 7 else 1) for rank in range(1, 13)]
    found = quickstart[quickstart["metric"] == "write.bw"].assign(value=1.0)
    found.loc[found["variant"] == "waiting", "value"] = np.exp(steps)
    design = replace(DESIGN, primary=("write.bw",))
    alone = row(judge(found, design), "waiting")
    assert alone.verdict == "faster"
    assert alone.p == pytest.approx(0.00928, abs=1e-5)
    crowd = replace(design, contrasts=(("baseline", "waiting"), *(("baseline", f"v{i}") for i in range(9))))
    among = row(judge(found, crowd), "waiting")
    assert (among.ratio_low, among.ratio_high) == (alone.ratio_low, alone.ratio_high)
    assert among.verdict == "inconclusive"
    assert "not after the correction (Holm over 10)" in among.note


def test_fewer_blocks_than_the_level_needs_are_inconclusive(quickstart):
    few = quickstart[quickstart["block"] <= 5]
    found = row(judge(few, DESIGN), "waiting")
    assert (found.verdict, found.blocks, found.ratio_low) == ("inconclusive", 5, None)
    assert "needs 6" in found.note
    assert "needs 7" in row(judge(few, replace(DESIGN, blocks="auto")), "waiting").note
    assert row(judge(quickstart[quickstart["block"] <= 6], DESIGN), "waiting").ratio_low is not None
    assert "6 of 12 blocks" in row(judge(quickstart[quickstart["block"] <= 6], DESIGN), "waiting").note


def test_that_so_few_blocks_decide_none_of_so_many_comparisons_is_said_of_each(quickstart):
    few = quickstart[quickstart["block"] <= 7]
    crowd = replace(
        DESIGN,
        blocks=7,
        primary=("write.bw",),
        contrasts=(("baseline", "waiting"), *(("baseline", f"v{i}") for i in range(9))),
    )
    found = row(judge(few, crowd), "waiting")
    assert found.verdict == "inconclusive"
    assert "7 blocks decide none of 10 comparisons, however large the differences are (9 might)" in found.note


def test_a_metric_of_zero_has_no_ratio(quickstart):
    broken = quickstart.copy()
    broken.loc[(broken["metric"] == "write.bw") & (broken["block"] == 3), "value"] = 0.0
    found = row(judge(broken, DESIGN), "waiting")
    assert (found.verdict, found.ratio, found.p) == ("inconclusive", None, None)
    assert "no ratio" in found.note
    assert "1 of 12 blocks" in found.note


def test_a_percentile_with_too_few_ios_beyond_it_is_not_shown(quickstart):
    thin = quickstart.copy()
    thin.loc[(thin["metric"] == "write.p99") & (thin["block"] == 3), "tail_ios"] = 9
    found = row(judge(thin, DESIGN), "waiting", "write.p99")
    assert (found.verdict, found.ratio, found.gated) == ("inconclusive", None, True)
    assert "fewer than 10" in found.note
    unknown = row(judge(quickstart.drop(columns="tail_ios"), DESIGN), "waiting", "write.p99")
    assert (unknown.verdict, unknown.ratio) == ("inconclusive", None)


def test_one_bucket_of_a_percentile_is_no_difference():
    found = metrics({"baseline": 1, "waiting": 1.016}, sd=0)
    rows = judge(found, replace(DESIGN, controls=()))
    assert row(rows, "waiting").verdict == "slower, below threshold"
    assert row(rows, "waiting", "write.p99").verdict == "no difference shown"
    assert "below 2% is claimed on a percentile" in row(rows, "waiting", "write.p99").note


def test_a_failed_variant_is_failed_and_nothing_else(quickstart):
    design = replace(DESIGN, contrasts=(("baseline", "waiting"), ("baseline", "broken")))
    rows = judge(quickstart, design, failing(FailedVariant("exit code 1: disk full", variant="broken")))
    broken = [r for r in rows if r.variant == "broken"]
    assert {(r.verdict, r.metric) for r in broken} == {("failed", "write.bw"), ("failed", "write.p99")}
    assert all("disk full" in r.note and r.ratio is None for r in broken)
    # What was planned is corrected for, whether it failed or not.
    assert row(rows, "waiting").correction == "Holm over 4"
    assert row(rows, "waiting").verdict == "slower"


def test_a_failed_baseline_fails_every_contrast_even_without_any_run(quickstart):
    rows = judge(quickstart.iloc[:0], DESIGN, failing(FailedVariant("does not mount", variant="baseline")))
    assert {(r.variant, r.verdict) for r in rows} == {("waiting", "failed"), ("control", "failed")}
    assert {r.note for r in rows} == {"its baseline, `baseline`, does not mount"}


def test_a_variant_is_blamed_for_its_own_failure_first(quickstart):
    both = failing(
        FailedVariant("failed: no disk", variant="baseline"),
        FailedVariant("failed: no memory", variant="waiting"),
    )
    rows = judge(quickstart, DESIGN, both)
    assert row(rows, "waiting").note == "failed: no memory"
    assert "failed: no disk" in row(rows, "control").note


def test_a_variant_that_failed_under_one_workload_is_judged_under_the_other():
    found = metrics({"baseline": 1, "waiting": 1.3}, workloads=("seq-write", "rand"))
    design = replace(DESIGN, controls=(), workloads=("seq-write", "rand"))
    rows = judge(found, design, failing(FailedVariant("hung", variant="waiting", workload="rand")))
    assert row(rows, "waiting").verdict == "slower"
    assert row(rows, "waiting", workload="rand").verdict == "failed"


def test_blocks_that_one_side_did_not_survive_are_not_dropped(quickstart):
    gone = quickstart[~((quickstart["variant"] == "waiting") & (quickstart["block"] > 10))]
    found = row(judge(gone, DESIGN), "waiting")
    assert (found.verdict, found.gated) == ("inconclusive", True)
    assert "2 of 12 blocks" in found.note
    assert found.ratio_low is not None


def test_notes_tell_of_closed_loops_and_of_noisy_blocks(quickstart):
    noisy = quickstart.assign(noisy=(quickstart["block"] == 4).astype(int))
    rows = judge(noisy, replace(DESIGN, closed_loop=("seq-write",)), Attrition(voided={"seq-write": 3}))
    assert "closed-loop" in row(rows, "waiting", "write.p99").note
    assert "closed-loop" not in row(rows, "waiting", "write.p50").note
    assert "never quiet for 1 of the blocks" in row(rows, "waiting").note
    assert {r.voided for r in rows} == {3}


def test_a_primary_metric_that_nothing_measured_is_not_forgotten(quickstart):
    rows = judge(quickstart, replace(DESIGN, primary=("write.bw", "write.bandwidth")))
    found = row(rows, "waiting", "write.bandwidth")
    assert (found.verdict, found.note) == ("inconclusive", "not measured")


def test_of_a_load_that_never_ran_those_metrics_are_missed_that_it_would_have_had(quickstart):
    """Each command has figures of its own: what one load has is no gap of another."""
    planned = {"seq-write": ("write.bw",), "other": ("other.rate",)}
    design = replace(
        DESIGN, workloads=("seq-write", "other"), primary=("write.bw", "other.rate"), primary_of=planned
    )
    found = {(r.workload, r.metric) for r in judge(quickstart, design) if r.family == "primary"}
    assert found == {("seq-write", "write.bw"), ("other", "other.rate")}


def test_controls_are_compared_though_no_contrast_names_them_and_alarm_by_their_interval(quickstart):
    calm = check_controls(judge(quickstart, DESIGN), DESIGN.primary)
    assert calm is not None
    assert (calm.total, calm.alarms) == (2, ())
    assert calm.expected == pytest.approx(0.1)
    shifted = metrics({"baseline": 1, "waiting": 1, "control": 1.03})
    alarmed = check_controls(judge(shifted, DESIGN), DESIGN.primary)
    assert alarmed is not None
    assert {r.metric for r in alarmed.alarms} == {"write.bw", "write.p99"}
    assert check_controls(judge(quickstart, replace(DESIGN, controls=())), DESIGN.primary) is None


def test_two_controls_against_each_other_are_a_control_too(quickstart):
    design = replace(DESIGN, contrasts=(("baseline", "waiting"), ("waiting", "control")))
    assert not design.is_control(("waiting", "control"))
    assert design.is_control(("baseline", "control"))
    assert design.pairs == (("baseline", "waiting"), ("waiting", "control"), ("baseline", "control"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: m.drop(columns="better"), "better"),
        (lambda m: pd.concat([m, m.iloc[:1]]), "two values of write.bw"),
        (lambda m: m.assign(better="more"), "higher or lower"),
    ],
)
def test_a_table_that_is_not_tidy_is_refused(quickstart, spoil, message):
    with pytest.raises(ValueError, match=message):
        compare(spoil(quickstart), DESIGN)


AUTO = replace(DESIGN, blocks="auto")


def test_a_clear_case_stops_at_the_first_look_and_an_unclear_one_goes_on(quickstart):
    assert decide_look(quickstart, AUTO, "seq-write", 12) is None
    noisy = metrics({"baseline": 1, "waiting": 1.03, "control": 1}, sd=0.15, blocks=32)
    assert decide_look(noisy[noisy["block"] <= 12], AUTO, "seq-write", 12) == 20
    assert decide_look(noisy[noisy["block"] <= 20], AUTO, "seq-write", 20) == 32
    assert decide_look(noisy, AUTO, "seq-write", 32) is None


def test_a_fixed_design_never_asks_for_more():
    noisy = metrics({"baseline": 1, "waiting": 1.03, "control": 1}, sd=0.15)
    assert decide_look(noisy, DESIGN, "seq-write", 12) is None


def test_controls_failures_and_gates_do_not_keep_an_experiment_going():
    found = metrics({"baseline": 1, "waiting": 1.3, "control": 1})
    rng = np.random.default_rng(3)
    unclear = found["variant"] == "control"
    found.loc[unclear, "value"] *= np.exp(rng.normal(0, 0.3, int(unclear.sum())))
    assert row(judge(found, AUTO), "control").verdict == "inconclusive"
    assert decide_look(found, AUTO, "seq-write", 12) is None
    found.loc[(found["metric"] == "write.p99"), "tail_ios"] = 2
    assert decide_look(found, AUTO, "seq-write", 12) is None
    more = replace(AUTO, contrasts=(*AUTO.contrasts, ("baseline", "broken")))
    broken = failing(FailedVariant("does not mount", variant="broken"))
    assert decide_look(found, more, "seq-write", 12, broken) is None


def test_a_look_at_one_workload_does_not_wait_for_the_others(quickstart):
    design = replace(AUTO, workloads=("seq-write", "later"))
    assert decide_look(quickstart, design, "seq-write", 12) is None
    assert {r.correction for r in judge(quickstart, design) if r.family == "primary" and r.p} == {
        "Holm over 4"
    }


def test_what_is_no_number_is_inconclusive_and_says_so() -> None:
    runs = metrics({"baseline": 1.0, "waiting": 1.3})
    runs.loc[runs["metric"] == "target.cpu_s", "value"] = math.nan
    found = compare(runs, DESIGN).query("variant == 'waiting'")
    verdicts = dict(zip(found["metric"], zip(found["verdict"], found["note"], strict=True), strict=True))
    assert verdicts["target.cpu_s"] == ("inconclusive", "no block with a number of both variants")
    assert verdicts["write.bw"][0] == "slower"
