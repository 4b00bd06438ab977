"""What is known of a call while it goes on, and when there is no use in going on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fuselab.commands.live import Live
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import Plan
from fuselab.experiment.planning import make_plan
from fuselab.files import write_json
from fuselab.records.failures import Failure
from fuselab.records.places import VERIFY, Results
from fuselab.records.verified import Verified
from fuselab.workflow.telling import Event

THREE = """\
target: demo
variants: {old: {}, new: {options: {cache: 64m}}, newer: {options: {cache: 32m}}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}}
"""
LOST = Failure("wrong data", "it reads back nothing of what was written")


def plan_of(repository: Path, name: str, text: str) -> Plan:
    (repository / "experiments" / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    return make_plan(load_experiment(repository / "experiments" / f"{name}.yaml", repository))


def verified(root: Path, plan: Plan, variants: Iterable[str], live: Live) -> list[bool]:
    """Whether it goes on after each of `variants` has failed its verifying run."""
    name, goes_on = plan.experiment.name, []
    for job, run in enumerate(run for each in variants for run in plan.verifying if run.variant == each):
        folder = Results(root).experiment(name).verified(run.variant, run.spec)
        folder.mkdir(parents=True)
        write_json(folder / VERIFY, Verified(run.variant, "failed", LOST.reason, 1, (LOST,)))
        wildcards = {"experiment": name, "variant": run.variant, "spec": run.spec}
        live.told(Event("begun", job, "verify", wildcards))
        goes_on.append(live.told(Event("done", job)))
    return goes_on


def test_it_ends_once_nothing_is_left_to_compare_and_says_why(repository: Path):
    plan = plan_of(repository, "three", THREE)
    live = Live(repository, {"three": plan})
    assert verified(repository, plan, ["new", "newer"], live) == [True, False]
    assert live.failure is not None
    first, second, third = live.failure.splitlines()
    assert first == f"newer returned wrong data in its only verifying run: {LOST.reason}"
    assert second == "nothing is left to compare"
    assert third.startswith(f"the whole log: {repository}/results/three/logs/verify/newer.")


def test_it_goes_on_for_whoever_goes_by_the_verdicts(repository: Path):
    plan = plan_of(repository, "three", THREE)
    live = Live(repository, {"three": plan}, for_verdicts=True)
    assert verified(repository, plan, ["new", "newer"], live) == [True, True]


def test_it_goes_on_for_another_experiment_of_the_call(repository: Path):
    plans = {name: plan_of(repository, name, THREE) for name in ("one", "other")}
    live = Live(repository, plans)
    assert verified(repository, plans["one"], ["new", "newer"], live) == [True, True]
    assert live.failure is None


def test_a_single_variant_is_never_hopeless_for_it_is_compared_with_nothing(repository: Path):
    alone = "target: demo\nvariants: {old: {}}\n" + THREE.splitlines()[-1] + "\n"
    plan = plan_of(repository, "alone", alone)
    assert verified(repository, plan, ["old"], Live(repository, {"alone": plan})) == [True]
