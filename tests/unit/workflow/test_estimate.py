"""What `fuselab plan` counts is what Snakemake will make, and what it promises to find is what will be judged."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.unit.records.made_up import run_record

from fuselab.experiment.design import family
from fuselab.experiment.fixed_work import WORK_BLOCKS
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import Plan
from fuselab.experiment.planning import make_plan
from fuselab.files import write_json
from fuselab.records.places import Results
from fuselab.records.run import Phases
from fuselab.workflow.detectable import detectable
from fuselab.workflow.estimate import Part, estimate
from fuselab.workflow.layout import COST_BLOCKS

AUTO = """
variants: {baseline: {}, other: {env: {A: b}}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}
blocks: auto
"""


def plan_of(text: str, tmp_path: Path, checkout: Path) -> Plan:
    path = tmp_path / "e.yaml"
    path.write_text(f"name: e\ntarget: demofs\n{text}")
    loaded = load_experiment(path, checkout)
    return make_plan(loaded)


@pytest.fixture
def tour(checkout: Path) -> Plan:
    loaded = load_experiment(checkout / "experiments/tour.yaml", checkout)
    return make_plan(loaded)


def parts(plan: Plan, root: Path, what: str) -> list[Part]:
    return [part for part in estimate(plan, root).parts if part.what == what]


def test_builds_of_benches_are_counted(tour: Plan, tmp_path: Path) -> None:
    names = {part.name for part in parts(tour, tmp_path, "build")}
    assert len(names) == 4
    assert sum(name.endswith("-bench-demofs_bench") for name in names) == 2


def test_a_build_that_was_stopped_says_nothing_of_how_long_one_takes(tmp_path: Path, checkout: Path) -> None:
    plan = plan_of(AUTO, tmp_path, checkout)
    [folder] = plan.all_builds
    output = Path("results/builds") / folder
    (tmp_path / output).mkdir(parents=True)
    note = tmp_path / ".snakemake/metadata" / base64.urlsafe_b64encode(str(output).encode()).decode()
    note.parent.mkdir(parents=True)
    write_json(note, {"starttime": 10.0, "endtime": 10.4})
    assert [part.seconds_each for part in parts(plan, tmp_path, "build")] == [None]
    write_json(note, {"starttime": 10.0, "endtime": 900.0})
    write_json(tmp_path / output / "build.json", {})
    assert [part.seconds_each for part in parts(plan, tmp_path, "build")] == [890.0]


def test_how_long_work_takes_on_a_distant_store_only_its_own_runs_tell(
    tmp_path: Path, checkout: Path
) -> None:
    text = """
backend: etcd
variants: {near: {}, far: {network: {delay: 5ms}}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}
"""
    plan = plan_of(text, tmp_path, checkout)

    def each() -> dict[str, float | None]:
        return {part.name: part.seconds_each for part in parts(plan, tmp_path, "verify")}

    def verified(experiment: str, variant: str, load_s: float, **more: Any) -> None:
        folder = Results(tmp_path).experiment(experiment).verified(variant, "0123456789ab")
        folder.mkdir(parents=True)
        write_json(folder / "run.json", run_record(phases=Phases(0, 0, 0, 0, load_s, 0, 0, 0), **more))

    guessed = each()
    assert guessed["far"] is None
    assert guessed["near"] == pytest.approx(11, abs=1)
    verified("other", "far", 100.0, round_trips_s={"service": (0.010, 0.010)})
    assert each() == guessed, "nor do those of another experiment, in either direction"
    verified("other", "near", 8.0)
    assert each() == {"near": 8.0, "far": None}
    verified("e", "far", 90.0, round_trips_s={"service": (0.010, 0.010)})
    assert each() == {"near": 8.0, "far": 90.0}


def test_blocks_that_measure_costs_are_counted(tmp_path: Path, checkout: Path) -> None:
    text = """
variants: {baseline: {}, other: {env: {A: b}}}
workloads: {seq: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}
profilers: [perf-oncpu, jemalloc-heap]
"""
    assert not parts(plan_of(text, tmp_path, checkout), tmp_path, "cost blocks")
    [part] = parts(plan_of(f"{text}cost: true\n", tmp_path, checkout), tmp_path, "cost blocks")
    assert (part.name, part.done, part.wanted) == ("seq", 0, COST_BLOCKS)
    assert part.seconds_each is not None
    assert part.seconds_each > 4  # plain, perf, and the heap's build off and on: each runs for a second


def test_blocks_of_fixed_work_are_counted(tmp_path: Path, checkout: Path) -> None:
    [part] = parts(plan_of(AUTO, tmp_path, checkout), tmp_path, "work blocks")
    assert (part.name, part.done, part.wanted) == ("w", 0, WORK_BLOCKS)
    assert part.seconds_each is not None
    assert part.wanted * part.seconds_each < 60
    assert not parts(plan_of(f"{AUTO}work: false\n", tmp_path, checkout), tmp_path, "work blocks")


def test_looks_that_have_stopped_leave_nothing_to_do(tmp_path: Path, checkout: Path) -> None:
    plan = plan_of(AUTO, tmp_path, checkout)
    assert [part.wanted for part in parts(plan, tmp_path, "blocks")] == [32]
    looks = tmp_path / "results/e/looks/w" / plan.timed_spec("w")
    looks.mkdir(parents=True)
    (looks / "012.json").write_text('{"next": 20}')
    assert [part.wanted for part in parts(plan, tmp_path, "blocks")] == [32]
    (looks / "020.json").write_text('{"next": null}')
    assert [part.wanted for part in parts(plan, tmp_path, "blocks")] == [20]


def test_a_family_holds_what_will_be_judged_together(tour: Plan, tmp_path: Path, checkout: Path) -> None:
    # One contrast, and two primary metrics that the fio load yields and the bench does not.
    assert family(tour.experiment) == 2
    text = """
variants: {baseline: {}, other: {env: {A: b}}, third: {env: {A: c}}}
control: true
workloads:
  w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}
  r: {fio: {rw: read, bs: 4k, size: 1m, runtime: 1s}}
compare: {primary: [write.bw, read.bw, target.cpu_s]}
"""
    assert family(plan_of(text, tmp_path, checkout).experiment) == 2 * (2 + 2)


def test_figures_of_a_load_that_was_edited_since_say_nothing_of_the_new_one(
    tmp_path: Path, checkout: Path
) -> None:
    text = AUTO.replace("auto", "12")
    home = tmp_path / "results/e"
    before, after = (plan_of(text.replace("4k", bs), tmp_path, checkout) for bs in ("4k", "8k"))
    for plan in (before, after):  # Snakemake makes the folder as soon as it looks at the experiment
        (home / "blocks/w" / plan.timed_spec("w") / "001").mkdir(parents=True)
    (home / "blocks/w" / before.timed_spec("w") / "001/block.json").write_text("{}")
    rows = (
        f"e,w,{block},{variant},write.bw,{value}"
        for block in range(12)
        for variant, value in (("baseline", 100), ("other", 100 + block % 3))
    )
    (home / "metrics.csv").write_text("\n".join(["experiment,workload,block,variant,metric,value", *rows]))
    assert [found.machine for found in detectable(before, tmp_path)] == ["here, w write.bw"]
    assert "here" not in {found.machine.split(",")[0] for found in detectable(after, tmp_path)}


def test_stages_one_after_the_other_take_their_times_together(tmp_path: Path, checkout: Path) -> None:
    def seconds(wall: int) -> float:
        jobs = f"{{a: {{rw: write}}, b: {{rw: read, stonewall: {wall}}}}}"
        load = f"{{w: {{fio: {{global: {{size: 1m, runtime: 30s, ramp_time: 0}}, jobs: {jobs}}}}}}}"
        text = f"variants: {{baseline: {{}}, other: {{env: {{A: b}}}}}}\nworkloads: {load}\n"
        [part] = parts(plan_of(text, tmp_path, checkout), tmp_path, "blocks")
        assert part.seconds_each is not None
        return part.seconds_each

    assert seconds(1) - seconds(0) == pytest.approx(2 * 30)
