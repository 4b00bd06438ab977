"""What `guard` and `accept` become: for which contrasts and loads, until when, and that no spec knows them."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.experiment.design import design_of
from fuselab.experiment.loading import Loaded, load_experiment
from fuselab.experiment.planning import make_plan
from fuselab.workflow.description import describe

BROKEN = Path(__file__).resolve().parents[2] / "broken" / "repository"
BASE = """\
name: trial
target: demo
control: true
variants: {old: {}, new: {options: {cache: 64m}}, newer: {options: {cache: 1g}}}
workloads:
  w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}
  r: {fio: {rw: read, bs: 4k, size: 1m, runtime: 3s}}
"""


@pytest.fixture
def read(tmp_path: Path):
    root = tmp_path / "repository"
    shutil.copytree(BROKEN, root)
    (root / "experiments").mkdir()
    path = root / "experiments" / "trial.yaml"

    def made(text: str):
        path.write_text(BASE + text)
        return load_experiment(path, root)

    made.root = root  # type: ignore[attr-defined]
    return made


def guards(loaded: Loaded) -> dict[tuple[str, str, str], float]:
    return {(g.workload, g.variant, g.metric): g.limit for g in design_of(loaded.experiment).guards}


def test_a_guard_holds_in_every_contrast_but_the_control_and_under_each_load_that_yields_it(read):
    found = guards(read("guard: {write.p99: 25%, work.syscalls_per_op: 0}\n"))
    assert found == {
        **{("w", variant, "write.p99"): 0.25 for variant in ("new", "newer")},
        **{(load, variant, "work.syscalls_per_op"): 0 for load in "wr" for variant in ("new", "newer")},
    }


def test_or_in_those_alone_that_it_names(read):
    text = "guard: {work.syscalls_per_op: {limit: 10%, variants: [new], workloads: [r]}}\n"
    assert guards(read(text)) == {("r", "new", "work.syscalls_per_op"): 0.1}


def test_of_a_curve_what_is_timed_and_of_its_points_what_is_counted(read):
    swept = "  c: {fio: {rw: write, bs: 4k, size: 1m}, sweep: {over: fio.bs, values: [4k, 8k]}}\n"
    found = guards(
        read(f"{swept}guard: {{write.bw: 5%, work.syscalls_per_op: {{limit: 0, workloads: [c]}}}}\n")
    )
    assert {load for load, _, metric in found if metric == "write.bw"} == {"w", "c"}
    counted = {load for load, _, metric in found if metric != "write.bw"}
    assert len(counted) == 2
    assert "c" not in counted


def test_a_guard_on_what_is_counted_has_it_counted_however_long_that_takes(read):
    assert read("guard: {write.bw: 5%}\n").experiment.work is None
    assert read("guard: {work.syscalls_per_op: 0}\n").experiment.work is True


def test_no_spec_of_what_is_measured_knows_of_them(read):
    plain = make_plan(read("work: true\n")).specs
    accept = (
        "accept: [{metric: write.p99, variant: new, reason: why, until: 2027-03-31}]\nnotify: [mail, me]\n"
    )
    assert make_plan(read(f"guard: {{write.p99: 25%, work.syscalls_per_op: 0}}\n{accept}")).specs == plain


@pytest.mark.parametrize(("night", "over"), [("2027-03-31", False), ("2027-04-01", True)])
def test_a_day_is_the_last_on_which_a_change_is_accepted(read, night, over):
    loaded = read("accept: [{metric: write.bw, variant: new, reason: why, until: 2027-03-31}]\n")
    plan = make_plan(replace(loaded, experiment=replace(loaded.experiment, night=night)))
    assert [each.over for each in describe(plan).accepted] == [over]


def test_a_revision_ends_it_from_the_first_commit_on_that_contains_it(read):
    git = ["git", "-C", str(read.root), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", message], check=True)
        subprocess.run([*git, "tag", message], check=True)
    revs = "variants: {old: {}, new: {options: {cache: 64m}}, newer: {options: {cache: 1g}}}"
    for rev, over in (("one", False), ("two", True)):
        path = read.root / "experiments" / "trial.yaml"
        text = BASE.replace(revs, f"variants: {{old: {{}}, new: {{rev: {rev}, options: {{cache: 1m}}}}}}")
        path.write_text(text + "accept: [{metric: write.bw, variant: new, reason: why, until: two}]\n")
        (accept,) = load_experiment(path, read.root).experiment.accept
        assert accept.reached == over
