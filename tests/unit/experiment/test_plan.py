"""A plan names every path, and its specs change when, and only when, what is measured does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.experiment.loading import load_experiment
from fuselab.experiment.mounting import mount_config
from fuselab.experiment.plan import NONE, Plan
from fuselab.experiment.planning import make_plan
from fuselab.targets.loading import load_target

TEXT = """
name: planned
title: planned
target: demofs
backend: sqlite
variants:
  baseline: {}
  waiting: {options: {inject: extend-wait=1ms}}
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 8m, runtime: 1s}}
  rand: {fio: {rw: randwrite, bs: 4k, size: 8m, runtime: 1s}}
profilers: [[trace-chrome, trace-flame], perf-oncpu, tokio-console, jemalloc-heap]
"""


@pytest.fixture
def plan_of(tmp_path: Path, checkout: Path):
    for name in ("targets", "services"):
        (tmp_path / name).symlink_to(checkout / name)
    (tmp_path / "experiments").mkdir()

    def read(text: str) -> Plan:
        path = tmp_path / "experiments/planned.yaml"
        path.write_text(text)
        loaded = load_experiment(path, tmp_path)
        return make_plan(loaded)

    return read


def test_an_edit_changes_the_spec_of_what_it_touches_alone(plan_of) -> None:
    before, after = plan_of(TEXT), plan_of(TEXT.replace("bs: 4k", "bs: 8k"))
    assert before.timed_spec("seq") == after.timed_spec("seq")
    assert before.timed_spec("rand") != after.timed_spec("rand")
    assert before.verify_spec("waiting") == after.verify_spec("waiting")
    assert plan_of(TEXT).timed_spec("rand") == before.timed_spec("rand")


def test_words_that_decide_nothing_change_no_spec(plan_of) -> None:
    before, after = plan_of(TEXT), plan_of(TEXT.replace("title: planned", "title: other") + "blocks: 20\n")
    assert [before.timed_spec(w) for w in ("seq", "rand")] == [after.timed_spec(w) for w in ("seq", "rand")]


def test_every_variant_is_part_of_a_blocks_spec_and_only_its_own_of_a_captures(plan_of) -> None:
    before, after = plan_of(TEXT), plan_of(TEXT.replace("extend-wait=1ms", "extend-wait=2ms"))
    assert before.timed_spec("seq") != after.timed_spec("seq")
    assert before.capture_spec("baseline", "seq", "perf-oncpu") == after.capture_spec(
        "baseline", "seq", "perf-oncpu"
    )
    assert before.capture_spec("waiting", "seq", "perf-oncpu") != after.capture_spec(
        "waiting", "seq", "perf-oncpu"
    )


def test_a_variant_may_change_a_setting_of_the_load(plan_of) -> None:
    before = plan_of(TEXT)
    after = plan_of(TEXT.replace("waiting: {", "waiting: {fio: {bs: 1m}, "))
    own = after.own_loads("seq")
    assert list(own) == ["waiting"]
    [options] = own["waiting"].settings["jobs"].values()
    assert (options["bs"], options["rw"]) == ("1m", "write")
    assert after.load_of("baseline", "seq") == before.loads["seq"]
    assert "bs=1m" in after.jobs["seq.waiting"]
    assert "bs=1m" not in after.jobs["seq"]
    assert before.timed_spec("seq") != after.timed_spec("seq")
    for variant, same in (("baseline", True), ("waiting", False)):
        specs = [plan.capture_spec(variant, "seq", "perf-oncpu") for plan in (before, after)]
        assert (specs[0] == specs[1]) is same


def test_perf_looks_at_the_binary_that_was_timed(plan_of) -> None:
    plan = plan_of(TEXT)
    assert plan.mounts["baseline", "perf-oncpu"].build == plan.mounts["baseline", NONE].build


def test_combined_shares_one_instrumented_build_and_separate_makes_one_each(plan_of) -> None:
    combined, separate = plan_of(TEXT), plan_of(TEXT + "instrumentation: separate\n")
    assert len(combined.builds) == 2
    assert len(separate.builds) == 4
    shared = {
        combined.mounts["baseline", p].build
        for p in ("trace-chrome+trace-flame", "tokio-console", "jemalloc-heap")
    }
    assert len(shared) == 1


def test_profilers_in_one_list_share_a_capture_and_their_log_filter(plan_of) -> None:
    mount = plan_of(TEXT).mounts["baseline", "trace-chrome+trace-flame"]
    env = dict(mount.env)
    assert {"DEMOFS_TRACE_CHROME", "DEMOFS_TRACE_FLAME"} <= set(env)
    assert env["RUST_LOG"].split(",").count("demofs=trace") == 1


def test_what_a_target_preloads_stays_beside_what_a_profiler_does(plan_of, checkout: Path) -> None:
    plan, target = plan_of(TEXT), load_target("demofs", checkout)
    target = replace(target, mount=replace(target.mount, env=(("LD_PRELOAD", "libown.so"),)))
    support = replace(target.profilers["jemalloc-heap"], env=(("LD_PRELOAD", "libjemalloc.so.2"),))
    mount = mount_config(plan.experiment, plan.experiment.variants[0], target, {}, (support,), None)
    assert dict(mount.env)["LD_PRELOAD"] == "libjemalloc.so.2:{capture}/heap-peaks.so:libown.so"


def test_of_a_set_those_look_that_have_something_to_see(plan_of) -> None:
    """A bench has no mount: its trace is taken without tracing-flame, and costs are measured for mounts alone."""
    bench = "  core: {criterion: {bench: demofs_bench}}\n"
    plan = plan_of(TEXT.replace("profilers:", f"{bench}profilers:") + "cost: true\n")
    sets = {(c.workload, c.profiler) for c in plan.captures if "trace-chrome" in c.profilers}
    assert sets == {
        ("seq", "trace-chrome+trace-flame"), ("rand", "trace-chrome+trace-flame"), ("core", "trace-chrome")
    }  # fmt: skip
    assert "DEMOFS_BENCH_CHROME" in dict(plan.mounts["baseline", "trace-chrome"].env)
    assert "trace-chrome+trace-flame.on" in plan.cost_mounts
    assert "trace-chrome.on" not in plan.cost_mounts


def test_the_mount_of_a_variant_is_what_its_yaml_says(plan_of) -> None:
    argv = plan_of(TEXT).mounts["waiting", NONE].argv
    assert argv[-2:] == ("--inject", "extend-wait=1ms")
    assert argv[1:3] == ("mount", "{mountpoint}")
    assert "--meta-backend" in argv


def test_every_capture_that_both_sides_have_is_compared(plan_of) -> None:
    plan = plan_of(TEXT)
    assert len(plan.captures) == 2 * 2 * 4
    assert len(plan.diffs()) == 2 * 5


def test_the_baseline_is_verified_as_such(plan_of) -> None:
    plan = plan_of(TEXT)
    turned = replace(plan.experiment, variants=tuple(reversed(plan.experiment.variants)))
    assert replace(plan, experiment=turned).verify_spec("baseline") != plan.verify_spec("baseline")
