"""A load with a sweep becomes one load for each point, and everything else of the plan is made of those."""

import dataclasses
from collections.abc import Callable

import pytest

from fuselab.experiment.design import design_of
from fuselab.experiment.loading import Loaded
from fuselab.experiment.plan import NONE, Plan
from fuselab.experiment.planning import make_plan
from fuselab.schema.errors import ExperimentErrors
from fuselab.workflow.description import describe
from fuselab.workflow.layout import Layout
from fuselab.workflow.parameters import Parameters

VARIANTS = "target: demo\nvariants: {old: {}, new: {env: {A: b}}}\n"
Read = Callable[..., Loaded]


def plan_of(read: Read, sweep: str, load: str = "rw: write, bs: 4k, size: 64m", rest: str = "") -> Plan:
    text = f"workloads: {{c: {{fio: {{{load}}}, sweep: {sweep}}}}}\n"
    return make_plan(read(VARIANTS + rest, text))


def test_every_value_makes_a_load_in_the_order_of_the_numbers(read: Read) -> None:
    plan = plan_of(read, "{over: fio.bs, values: [1m, 4k, 128k]}")
    assert list(plan.loads) == ["c-bs-4k", "c-bs-128k", "c-bs-1m"]
    assert [
        load.settings["jobs"]["c-bs-1m"]["bs"] for name, load in plan.loads.items() if name == "c-bs-1m"
    ] == ["1m"]
    points = [w.point for w in plan.experiment.workloads]
    assert [p.at[0].value for p in points if p] == [4096.0, 131072.0, 1048576.0]
    assert len({plan.timed_spec(name) for name in plan.loads}) == 3


def test_a_point_is_measured_as_the_load_that_somebody_writes_by_hand(read: Read) -> None:
    """But for its name."""
    swept = plan_of(read, "{over: fio.iodepth, values: [2, 8]}")
    by_hand = make_plan(
        read(VARIANTS, "workloads: {c-iodepth-8: {fio: {rw: write, bs: 4k, size: 64m, iodepth: 8}}}\n")
    )
    assert swept.jobs["c-iodepth-8"] == by_hand.jobs["c-iodepth-8"]
    assert swept.timed_spec("c-iodepth-8") == by_hand.timed_spec("c-iodepth-8")


def test_two_axes_give_every_combination_and_one_curve(read: Read) -> None:
    plan = plan_of(read, "[{over: fio.iodepth, values: [1, 4]}, {over: fio.bs, values: [64k, 4k]}]")
    assert list(plan.loads) == [
        *("c-iodepth-1-bs-4k", "c-iodepth-4-bs-4k", "c-iodepth-1-bs-64k", "c-iodepth-4-bs-64k"),
    ]
    design = design_of(plan.experiment)
    assert design.curves == {"c": tuple(plan.loads)}
    assert design.judged == ("c",)
    assert design.family_size({}) == 1
    assert design.closed_loop[-1] == "c"


def test_a_mount_option_and_a_variable_change_the_mount_and_not_the_load(read: Read) -> None:
    plan = plan_of(read, "[{over: options.cache, values: [8m, 64m]}, {over: env.THREADS, values: [1, 2]}]")
    small, large = (plan.mount("new", NONE, f"c-cache-{size}-THREADS-2") for size in ("8m", "64m"))
    assert small.argv[-2:] == ("--cache", "8m")
    assert large.argv[-2:] == ("--cache", "64m")
    assert dict(small.env) == {"A": "b", "THREADS": "2"}
    assert plan.mounts["new", NONE].argv[-1] != "8m", "the variant's own mount is what it was"
    blocks = [Parameters(plan).block(name, "001") for name in plan.loads]
    assert [block.mounts["old"].argv[-1] for block in blocks] == ["8m", "64m", "8m", "64m"]
    assert len({plan.timed_spec(name) for name in plan.loads}) == 4
    assert len({plan.loads[name].settings["jobs"][name]["bs"] for name in plan.loads}) == 1


def test_swept_mounts_are_as_many_as_the_point_says(read: Read) -> None:
    load = 'rw: write, bs: 4k, size: 64m, numjobs: 4, directory: "{mountpoints}"'
    plan = plan_of(read, "{over: mounts, values: [4, 1, 2]}", load)
    assert list(plan.loads) == ["c-mounts-1", "c-mounts-2", "c-mounts-4"]
    assert [plan.mount("new", NONE, name).mounts for name in plan.loads] == [1, 2, 4]
    assert [plan.mount("new", NONE, name).others is None for name in plan.loads] == [True, False, False]
    assert len({plan.timed_spec(name) for name in plan.loads}) == 3
    assert {job.rpartition("directory=")[2].partition("\n")[0] for job in plan.jobs.values()} == {
        "${FUSELAB_DIRECTORIES}"
    }
    assert [run.workloads for run in plan.verifying if run.variant == "new"] == [
        (name,) for name in plan.loads
    ], "each is verified as it is mounted"


def test_each_mount_that_a_sweep_makes_is_verified_once(read: Read) -> None:
    plan = plan_of(read, "[{over: options.cache, values: [8m, 64m]}, {over: fio.bs, values: [4k, 64k]}]")
    runs = [run for run in plan.verifying if run.variant == "new"]
    assert [run.workloads for run in runs] == [
        ("c-cache-8m-bs-4k", "c-cache-8m-bs-64k"),
        ("c-cache-64m-bs-4k", "c-cache-64m-bs-64k"),
    ], "points that share a mount share its run, and nothing is mounted without the option"
    tasks = [Parameters(plan).verify(run.variant, run.spec) for run in plan.verifying]
    assert [task.mount.argv[-2:] for task in tasks] == [("--cache", "8m"), ("--cache", "64m")] * 2
    assert [task.mount.variant for task in tasks] == ["old", "old", "new", "new"]
    assert not any(task.essential for task in tasks), "a value at which the baseline fails is a finding"
    assert len({run.spec for run in plan.verifying}) == 4
    assert describe(plan).verified == plan.verifying


def test_a_load_waits_for_the_verifying_runs_of_its_own_mounts_alone(read: Read) -> None:
    text = (
        "workloads: {w: {fio: {rw: write, size: 1m}}, "
        "c: {fio: {rw: write, size: 1m}, sweep: {over: env.THREADS, values: [1, 2]}}}\n"
    )
    plan = make_plan(read(VARIANTS, text))
    own, alone = Layout(plan), make_plan(read(VARIANTS, "workloads: {w: {fio: {rw: write, size: 1m}}}\n"))
    assert own.verified(workload="w") == Layout(alone).verified(), "runs of before are found again"
    of_loads = [own.verified(workload=name) for name in plan.loads]
    assert [len(folders) for folders in of_loads] == [2, 2, 2]
    assert sorted(folder for folders in of_loads for folder in folders) == sorted(own.verified())
    assert own.verified("new", "c-THREADS-1") == [of_loads[1][1]]
    assert Parameters(plan).verify("old", plan.verify_spec("old")).essential


def test_a_sweep_of_the_load_alone_is_verified_as_one_mount(read: Read) -> None:
    swept = plan_of(read, "{over: fio.bs, values: [4k, 64k]}")
    assert [run.spec for run in swept.verifying] == [swept.verify_spec("old"), swept.verify_spec("new")]


def test_values_may_be_texts_with_one_number_in_them(read: Read) -> None:
    plan = plan_of(read, "{over: options.inject, values: [extend-wait=1ms, extend-wait=500us]}")
    assert list(plan.loads) == ["c-inject-extend-wait-500us", "c-inject-extend-wait-1ms"]


def test_a_number_in_a_commands_argument_list_is_swept_by_its_place(read: Read) -> None:
    text = (
        "workloads: {c: {command: {argv: [seq, 10]}, sweep: {over: command.argv.1, values: [5, 10, 20]}}}\n"
    )
    plan = make_plan(read(VARIANTS, text))
    assert [load.settings["argv"] for load in plan.loads.values()] == [("seq", n) for n in ("5", "10", "20")]


def test_profilers_look_at_the_points_that_are_named_alone(read: Read) -> None:
    plan = plan_of(
        read,
        "[{over: fio.iodepth, values: [1, 4], capture_at: [4]}, {over: fio.bs, values: [4k, 64k]}]",
        rest="profilers: [perf-oncpu]\n",
    )
    assert {c.workload for c in plan.captures} == {"c-iodepth-4-bs-4k", "c-iodepth-4-bs-64k"}


def test_each_point_has_an_order_of_its_own_and_other_loads_have_that_of_before(read: Read) -> None:
    plan = plan_of(read, "{over: fio.iodepth, values: [1, 2, 3, 4]}")
    of_points = [[Parameters(plan).block(w, f"{n:03d}").order for n in range(1, 9)] for w in plan.loads]
    assert len({tuple(orders) for orders in of_points}) > 1
    for orders in of_points:
        firsts = [order[0] for order in orders]
        assert firsts.count("old") == firsts.count("new") == 4


def test_a_limit_is_kept_in_the_unit_of_its_metric(read: Read) -> None:
    plan = plan_of(read, "{over: fio.rate_iops, values: [100, 200], limit: {write.p99: 5ms, write.bw: 10m}}")
    (limit,) = {tuple(w.point.limit.items()) for w in plan.experiment.workloads if w.point}
    assert dict(limit) == {"write.p99": 5e6, "write.bw": 10 * 2**20}


def test_a_fault_of_the_load_is_told_once_however_many_points_there_are(read: Read) -> None:
    with pytest.raises(ExperimentErrors) as caught:
        plan_of(read, "{over: fio.iodepth, values: [1, 2, 4]}", load="rw: write, bss: 4k, size: 1m")
    (problem,) = caught.value.problems
    assert problem.key == "workloads.c.fio.bss"
    assert problem.suggestion == "bs"


def test_a_sweep_leaves_the_specs_of_loads_without_one_as_they_are(read: Read) -> None:
    alone = make_plan(read(VARIANTS, "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}\n"))
    beside = make_plan(
        read(
            VARIANTS,
            "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}, "
            "c: {fio: {rw: write, size: 1m}, sweep: {over: fio.bs, values: [1k, 2k]}}}\n",
        )
    )
    assert alone.timed_spec("w") == beside.timed_spec("w")
    assert dataclasses.asdict(alone.loads["w"]) == dataclasses.asdict(beside.loads["w"])


WRITES = (
    "workloads: {s: {fio: {rw: write, size: 1m}}, c: {fio: {rw: write, bs: 4k, size: 64m}, sweep: SWEEP}}\n"
)
DEPTHS = WRITES.replace("SWEEP", "{over: fio.iodepth, values: [8, 1, 2, 4]}")


def test_of_a_long_sweep_the_ends_are_counted_and_beside_it_what_is_short(read: Read) -> None:
    work = make_plan(read(VARIANTS, DEPTHS)).work
    assert [*work.workloads] == ["s", "c-iodepth-1", "c-iodepth-8"]
    assert [*work.left_out] == ["c-iodepth-2", "c-iodepth-4"]
    why = (
        "all of c would take 1 min 36 s, so its first and its last point are counted (`work: true` counts it)"
    )
    assert {*work.left_out.values()} == {why}


def test_points_that_are_the_same_work_are_counted_once(read: Read) -> None:
    """A rate is left out of what is counted; a variant that is mounted otherwise at each point does other work."""
    rates = WRITES.replace("SWEEP", "{over: fio.rate_iops, values: [10, 20, 40]}")
    for asked in ("", "work: true\n"):
        work = make_plan(read(f"{VARIANTS}{asked}", rates)).work
        assert [*work.workloads] == ["s", "c-rate_iops-10"]
        assert {*work.left_out.values()} == {"it is the same work as c-rate_iops-10"}
    waits = WRITES.replace("SWEEP", "{over: options.inject, values: [extend-wait=1ms, extend-wait=2ms]}")
    assert len(make_plan(read(f"{VARIANTS}work: true\n", waits)).work.workloads) == 3


def test_of_a_long_sweep_all_is_counted_where_that_is_asked_for_and_nothing_where_it_is_not(
    read: Read,
) -> None:
    assert len(make_plan(read(f"{VARIANTS}work: true\n", DEPTHS)).work.workloads) == 5
    assert not make_plan(read(f"{VARIANTS}work: false\n", DEPTHS)).work.workloads


def test_a_short_sweep_is_counted_whole(read: Read) -> None:
    short = WRITES.replace("SWEEP", "{over: fio.iodepth, values: [1, 2]}")
    assert not make_plan(read(VARIANTS, short)).work.left_out


def test_the_ends_of_two_axes_are_where_both_are_smallest_and_both_largest(read: Read) -> None:
    grid = "[{over: fio.iodepth, values: [1, 2, 4]}, {over: fio.bs, values: [4k, 64k]}]"
    work = make_plan(read(VARIANTS, WRITES.replace("SWEEP", grid))).work
    assert [*work.workloads] == ["s", "c-iodepth-1-bs-4k", "c-iodepth-4-bs-64k"]
