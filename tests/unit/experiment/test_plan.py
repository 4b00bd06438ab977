"""A plan names every path, and its specs change when, and only when, what is measured does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.experiment.loading import load_experiment
from fuselab.experiment.mounting import mount_config
from fuselab.experiment.plan import NONE, Plan
from fuselab.experiment.planning import make_plan
from fuselab.profilers import REGISTRY, jemalloc_heap
from fuselab.targets.loading import load_target
from fuselab.targets.model import CounterSource, CounterSources

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
    assert after.captured_load("baseline", "seq") == before.loads["seq"]
    assert "bs=1m" in after.jobs["seq.waiting"]
    assert "bs=1m" not in after.jobs["seq"]
    assert before.timed_spec("seq") != after.timed_spec("seq")
    for variant, same in (("baseline", True), ("waiting", False)):
        specs = [plan.capture_spec(variant, "seq", "perf-oncpu") for plan in (before, after)]
        assert (specs[0] == specs[1]) is same


def test_perf_looks_at_the_binary_that_was_timed(plan_of) -> None:
    plan = plan_of(TEXT)
    assert plan.mounts["baseline", "perf-oncpu"].build == plan.mounts["baseline", NONE].build


BENCH = (
    TEXT[: TEXT.index("workloads:")]
    + """
workloads: {bench: {criterion: {bench: demofs_bench}}}
profilers: [perf-oncpu, jemalloc-heap]
cost: true
"""
)


def test_what_has_benches_alone_builds_no_filesystem(plan_of) -> None:
    plan = plan_of(BENCH)
    assert len(plan.all_builds) == 2, "one as it is timed, and one with jemalloc"
    assert all(folder.endswith("-bench-demofs_bench") for folder in plan.all_builds)
    assert plan.builds_of("baseline")[NONE] in plan.all_builds
    assert not plan.verifying


def test_a_bench_beside_a_mount_runs_its_own_program_and_the_mount_the_filesystem(plan_of) -> None:
    plan = plan_of(BENCH.replace("{bench: ", "{w: {fio: {rw: write, bs: 4k, size: 1m}}, bench: ", 1))
    mounted, benched = (plan.mount("baseline", NONE, name) for name in ("w", "bench"))
    assert benched.build == f"{mounted.build}-bench-demofs_bench"
    assert benched.binary.endswith("/demofs_bench")
    assert {mounted.build, benched.build} < {*plan.all_builds}
    assert plan.builds_of("baseline")[NONE] == mounted.build


def test_combined_shares_one_instrumented_build_and_separate_makes_one_each(plan_of) -> None:
    combined, separate = plan_of(TEXT), plan_of(TEXT + "instrumentation: separate\n")
    assert len(combined.builds) == 2
    assert len(separate.builds) == 4
    shared = {
        combined.mounts["baseline", p].build
        for p in ("trace-chrome+trace-flame", "tokio-console", "jemalloc-heap")
    }
    assert len(shared) == 1


@pytest.mark.parametrize(
    ("profilers", "there"),
    [
        ("[perf-oncpu, perf-offcpu, fuse-requests]", False),
        ("[[fuse-requests, perf-oncpu], perf-offcpu]", False),
        ("[[fuse-requests, perf-offcpu]]", True),
        ("[trace-chrome]", True),
    ],
)
def test_an_account_is_made_of_spans_or_of_requests_that_share_a_run_with_their_threads(
    plan_of, profilers, there
) -> None:
    plan = plan_of(re.sub(r"profilers: .*", f"profilers: {profilers}", TEXT))
    assert plan.has_account("baseline", "seq") is there


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
    """A bench has no requests, and a mount no Criterion; costs are measured for mounts alone."""
    bench = "  core: {criterion: {bench: demofs_bench}}\n"
    text = TEXT.replace("[trace-chrome, trace-flame]", "[trace-chrome, fuse-requests, criterion-flamegraph]")
    plan = plan_of(text.replace("profilers:", f"{bench}profilers:") + "cost: true\n")
    sets = {(c.workload, c.profiler) for c in plan.captures if "trace-chrome" in c.profilers}
    mounted, alone = "trace-chrome+fuse-requests", "trace-chrome+criterion-flamegraph"
    assert sets == {("seq", mounted), ("rand", mounted), ("core", alone)}
    assert "DEMOFS_BENCH_CHROME" in dict(plan.mounts["baseline", alone].env)
    assert f"{mounted}.on" in plan.cost_mounts
    assert f"{alone}.on" not in plan.cost_mounts


def test_every_profiler_of_native_programs_looks_at_a_bench(plan_of) -> None:
    bench = "  core: {criterion: {bench: demofs_bench}}\n"
    profilers = f"profilers: [{', '.join(REGISTRY)}]"
    plan = plan_of(re.sub(r"profilers: .*", f"{bench}{profilers}", TEXT))
    looking = {name for c in plan.captures if c.workload == "core" for name in c.profilers}
    assert looking == set(REGISTRY) - {"fuse-requests"}


COMMAND = """\
  chores: {command: {argv: [sh, -c, "true"]}}
"""


def looking_at_the_command(text: str) -> str:
    return text.replace('"true"]', '"true"], looks_at: command')


def test_a_command_that_is_looked_at_runs_on_the_mount_that_is_timed(plan_of) -> None:
    text = looking_at_the_command(TEXT.replace("profilers:", f"{COMMAND}profilers:"))
    plan = plan_of(text)
    looking = {c.profiler for c in plan.captures if c.workload == "chores"}
    assert looking == {"perf-oncpu", "jemalloc-heap"}, "of those asked for, who needs nothing of the program"
    plain, looked_at = (plan.mount("baseline", of, "chores") for of in (NONE, "jemalloc-heap"))
    assert (looked_at.argv, looked_at.env, looked_at.build) == (plain.argv, plain.env, plain.build)
    (support,) = looked_at.profilers
    assert dict(support.env)["LD_PRELOAD"].startswith("libjemalloc.so.2:"), "not what demofs would need"
    assert plan.build_of("baseline", "jemalloc-heap", "seq") != plan.build_of("baseline", NONE)


def test_whom_profilers_look_at_is_no_part_of_what_is_timed(plan_of) -> None:
    text = TEXT.replace("profilers:", f"{COMMAND}profilers:")
    before, after = plan_of(text), plan_of(looking_at_the_command(text))
    assert before.timed_spec("chores") == after.timed_spec("chores")
    assert before.loads["chores"] == after.loads["chores"]
    at = ("baseline", "chores", "perf-oncpu")
    assert before.capture_spec(*at) != after.capture_spec(*at)
    said = plan_of(text.replace('"true"]', '"true"], looks_at: mount'))
    assert said.capture_spec(*at) == before.capture_spec(*at), "the default is what it was"


def test_a_command_is_looked_at_where_the_target_has_no_program(plan_of) -> None:
    """A plain folder has none to look at, and needs no build for its profilers."""
    loads = f"workloads:\n{COMMAND}profilers: [perf-oncpu, jemalloc-heap]\n"
    text = looking_at_the_command(
        f"name: planned\ntarget: directory\nvariants: {{a: {{}}, b: {{env: {{A: b}}}}}}\n{loads}"
    )
    plan = plan_of(text)
    assert len(plan.captures) == 4
    assert not plan.skipped
    assert not plan.all_builds
    assert plan.mounts.keys() == {("a", NONE), ("b", NONE)}


def test_what_cannot_be_preloaded_is_skipped_with_the_command_s_name(plan_of, monkeypatch) -> None:
    monkeypatch.setattr(jemalloc_heap, "no_preload", lambda path: "is statically linked")
    plan = plan_of(looking_at_the_command(TEXT.replace("profilers:", f"{COMMAND}profilers:")))
    assert {c.profiler for c in plan.captures if c.workload == "chores"} == {"perf-oncpu"}
    reasons = {s.capability.reason for s in plan.skipped if s.profiler == "jemalloc-heap"}
    assert reasons == {"sh is statically linked"}
    assert {c.workload for c in plan.captures if c.profiler == "jemalloc-heap"} == {"seq", "rand"}


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


def test_what_programs_count_themselves_decides_nothing_that_is_timed(checkout: Path) -> None:
    loaded = load_experiment(checkout / "experiments" / "etcd.yaml", checkout)
    assert make_plan(loaded).counters["baseline"].services, "etcd's counters are read"
    source = CounterSource("lines", file="{mountpoint}/.stats")
    counting = replace(
        loaded,
        targets={name: replace(target, counters=(source,)) for name, target in loaded.targets.items()},
    )
    plain = make_plan(replace(loaded, counters={}))
    assert make_plan(counting).counters["baseline"].target == (source,)
    assert make_plan(counting).mounts == plain.mounts
    assert make_plan(counting).timed_spec("seq-write") == plain.timed_spec("seq-write")


def test_more_ways_to_verify_are_another_verification_and_the_default_is_what_it_was(plan_of) -> None:
    before, said, more = (
        plan_of(TEXT),
        plan_of(TEXT + "verify: [data]\n"),
        plan_of(TEXT + "verify: [data, posix]\n"),
    )
    assert before.verify_spec("waiting") == said.verify_spec("waiting") != more.verify_spec("waiting")
    assert before.timed_spec("seq") == more.timed_spec("seq")
    listed = replace(more, known_failures={"baseline": (), "waiting": ("link::*",)})
    assert listed.verify_spec("waiting") != more.verify_spec("waiting")
    assert listed.verify_spec("baseline") == more.verify_spec("baseline")


def test_work_is_counted_where_that_is_short_or_asked_for(plan_of) -> None:
    one_load = TEXT.replace("  rand: {fio: {rw: randwrite, bs: 4k, size: 8m, runtime: 1s}}\n", "")
    assert plan_of(one_load).work.words == {"seq": "256 I/Os of 128k instead of 1 s"}
    assert not plan_of(one_load + "work: false\n").work.workloads
    assert "work: false" not in one_load

    third = TEXT.replace("  waiting:", "  other: {env: {A: b}}\n  waiting:")
    assert not plan_of(third).work.workloads
    assert plan_of(third).work.left_out["seq"].startswith("all of it would take 1 min")
    assert plan_of(third + "work: true\n").work.workloads.keys() == {"seq", "rand"}


def test_how_long_a_command_takes_is_not_known_so_it_is_counted_only_if_asked_for(plan_of) -> None:
    command = TEXT.replace("fio: {rw: randwrite, bs: 4k, size: 8m, runtime: 1s}", "command: {argv: [ls]}")
    assert plan_of(command).work.workloads.keys() == {"seq"}
    assert "not known" in plan_of(command).work.left_out["rand"]
    assert plan_of(command + "work: true\n").work.workloads["rand"].settings["argv"] == ("ls",)


def test_nothing_is_counted_of_a_folder(plan_of) -> None:
    folder = TEXT.partition("profilers:")[0].replace("target: demofs\nbackend: sqlite", "target: directory")
    folder = folder.replace("options: {inject: extend-wait=1ms}", "env: {A: b}")
    assert not plan_of(folder + "work: true\n").work.workloads


def test_counting_leaves_the_specs_of_what_is_timed_as_they_are(plan_of) -> None:
    on, off = plan_of(TEXT + "work: true\n"), plan_of(TEXT + "work: false\n")
    assert on.timed_spec("seq") == off.timed_spec("seq")
    assert on.work_spec("seq") not in {on.timed_spec("seq"), off.timed_spec("rand")}
    assert on.work_spec("seq") == plan_of(
        TEXT.replace("runtime: 1s", "runtime: 2s") + "work: true\n"
    ).work_spec("seq")
    assert on.specs - off.specs == {("", name, "", on.work_spec(name)) for name in ("seq", "rand")}


def test_a_variants_own_options_are_counted_too(plan_of) -> None:
    plan = plan_of(TEXT.replace("waiting: {", "waiting: {fio: {bs: 64k}, ") + "work: true\n")
    own = plan.own_work_loads("seq")
    assert own.keys() == {"waiting"}
    assert own["waiting"].settings["jobs"]["seq"]["io_size"] == str(32 << 20)


def test_a_store_that_takes_long_to_say_what_it_has_done_is_asked_only_on_demand(plan_of) -> None:
    """PostgreSQL's sessions hand on their counts after up to 10 s, before and after each load."""
    plan = plan_of(TEXT)
    slow = replace(CounterSource("lines", argv=("cat", "/dev/null")), settle_s=11.0)
    counters = dict.fromkeys(plan.counters, CounterSources((), (("", (slow,)),)))
    assert plan.work.workloads
    assert not replace(plan, counters=counters).work.workloads
