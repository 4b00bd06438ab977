"""What the Snakefile does before any job: errors in words, experiments apart from each other."""

from __future__ import annotations

import datetime
import errno
import re
import subprocess
from pathlib import Path

import pytest
from snakemake.iocontainers import Wildcards

from fuselab.workflow import snakefile
from fuselab.workflow.snakefile import Workflow

GOOD = """
title: good
target: demofs
variants: {baseline: {}, waiting: {options: {inject: extend-wait=1ms}}}
workloads: {seq: {fio: {rw: write, bs: 4k, size: 1m, runtime: 1s}}}
blocks: 2
"""


@pytest.fixture
def root(tmp_path: Path, checkout: Path) -> Path:
    for name in ("Snakefile", "rules", "scripts", "targets", "services", "profiles"):
        (tmp_path / name).symlink_to(checkout / name)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/good.yaml").write_text(f"name: good\n{GOOD}")
    (tmp_path / "experiments/bad.yaml").write_text(f"name: bad\n{GOOD}".replace("blocks:", "blokcs:"))
    (tmp_path / "config.yaml").write_text("experiments: [good, bad]\n")
    return tmp_path


def wildcards_of(**names: str) -> Wildcards:
    return Wildcards(fromdict=names)


def dry_run(root: Path, checkout: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    argv = [str(checkout / ".venv/bin/snakemake"), "--cores", "1", "-n", *targets]
    return subprocess.run(
        argv, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120
    )


def test_a_misspelt_key_is_named_with_its_line_and_no_traceback(root: Path, checkout: Path) -> None:
    done = dry_run(root, checkout, "results/bad/report.html")
    assert done.returncode != 0
    assert "experiments/bad.yaml:7" in done.stdout
    assert "blokcs" in done.stdout
    assert "did you mean" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_broken_experiment_does_not_stop_another(root: Path, checkout: Path) -> None:
    done = dry_run(root, checkout, "results/good/report.html", "results/report.html")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "time_block" in done.stdout
    assert "results/bad" not in done.stdout
    assert "experiments/bad.yaml:7" in done.stdout, "it is listed, so whoever asks for all is told"
    assert "Left out, because it cannot be read: experiments/bad.yaml" in done.stdout


@pytest.mark.parametrize(
    ("wildcards", "said"),
    [
        ({"variant": "wating"}, "no variant 'wating'; did you mean 'waiting'?"),
        ({"workload": "sqe"}, "no workload 'sqe'; did you mean 'seq'?"),
        ({"profiler": "perf-oncpu"}, "no profiler 'perf-oncpu'. It has: none."),
    ],
)
def test_what_a_path_names_and_the_experiment_does_not_have_is_said(
    root: Path, wildcards: dict[str, str], said: str
) -> None:
    lab = Workflow(root, is_main=False, listed=[])
    with pytest.raises(SystemExit, match=re.escape(f"experiments/good.yaml has {said}")):
        lab.files(wildcards_of(experiment="good", **wildcards))


def test_a_spec_is_that_of_what_its_path_names(root: Path) -> None:
    lab = Workflow(root, is_main=False, listed=[])
    plan = lab.plan("good")
    verify = plan.verify_spec("baseline")
    lab.files(wildcards_of(experiment="good", variant="baseline", spec=verify))
    lab.files(wildcards_of(experiment="good", workload="seq", spec=plan.timed_spec("seq")))
    for wrong in ("0123456789ab", verify):
        with pytest.raises(SystemExit, match="it has been edited since"):
            lab.files(wildcards_of(experiment="good", workload="seq", spec=wrong))


def test_a_path_that_the_experiment_does_not_have_ends_snakemake_in_words(root: Path, checkout: Path) -> None:
    done = dry_run(root, checkout, "results/good/processed/wating/seq/perf-oncpu")
    assert done.returncode != 0
    assert "no variant 'wating'; did you mean 'waiting'?" in done.stdout
    assert "Traceback" not in done.stdout


def test_every_night_measures_anew(root: Path) -> None:
    none, first, second = (
        Workflow(root, is_main=False, listed=[], night=night)
        for night in (None, datetime.date(2026, 3, 1), "2026-03-02")
    )
    specs = {lab.plan("good").timed_spec("seq") for lab in (none, first, second)}
    assert len(specs) == 3
    assert first.nights("good") == ["results/good/history/2026-03-01"]
    with pytest.raises(SystemExit, match="good has no night yet: add --config night="):
        none.nights("good")


def test_the_history_of_nights_is_there_without_a_night(root: Path) -> None:
    for night in ("2026-03-01", "2026-99-99x"):
        (root / "results/good/history" / night).mkdir(parents=True)
    (root / "results/good/history/2026-03-01/summary.json").touch()
    first, both = (Workflow(root, is_main=False, listed=[], night=night) for night in (None, "2026-03-02"))
    assert first.nights("good") == ["results/good/history/2026-03-01"]
    assert both.nights("good") == [*first.nights("good"), "results/good/history/2026-03-02"]


@pytest.mark.parametrize("given", ["tonight", "2026-W10-1", "2026-02-30"])
def test_a_night_is_a_date(root: Path, given: str) -> None:
    with pytest.raises(SystemExit, match=f"night={given} is no date"):
        Workflow(root, is_main=False, listed=[], night=given)


def test_a_night_that_is_kept_is_never_made_again(root: Path) -> None:
    (root / "results/good/history/2026-03-01").mkdir(parents=True)
    (root / "results/good/history/2026-03-01/summary.json").touch()
    kept = Workflow(root, is_main=False, listed=[], night="2026-03-01").without_tonight
    open_ = Workflow(root, is_main=False, listed=[], night="2026-03-02").without_tonight
    assert not re.fullmatch(f"results/({kept})/history/x", "results/good/history/x")
    assert re.fullmatch(f"results/({kept})/history/x", "results/goods/history/x")
    assert re.fullmatch(f"results/({open_})/history/x", "results/good/history/x")


def test_a_checkout_whose_path_cannot_be_taken_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has a space in it"):
        Workflow(tmp_path / "a b", is_main=False, listed=[])


def test_a_checkout_that_may_not_be_written_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clear_up(root: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(root / ".snakemake"))

    monkeypatch.setattr(snakefile, "clear_up", clear_up)
    with pytest.raises(SystemExit, match=r"^\n.*/.snakemake is on a disk that is mounted read-only: "):
        Workflow(tmp_path, is_main=True, listed=[])
