"""After a kill: locks that nobody holds are gone, and what was measured whole is kept."""

from __future__ import annotations

import fcntl
import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from fuselab.workflow.stale_locks import clear_up

BLOCK = f"results/e/blocks/{'long-name' * 20}/0123456789ab/001"


def test_locks_of_the_dead_are_released_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    with (tmp_path / ".snakemake/fuselab.flock").open("a") as living:
        fcntl.flock(living, fcntl.LOCK_SH)
        clear_up(tmp_path).close()
        assert list(locks.iterdir())
    clear_up(tmp_path).close()
    assert not list(locks.iterdir())


def marked(root: Path, output: str) -> Path:
    """The mark of Snakemake 9.27 for an output that is being made: base64, at most 254 characters a folder."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    mark = root.joinpath(".snakemake/incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1])
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return mark


def test_a_block_that_is_in_its_place_is_not_made_again(tmp_path: Path) -> None:
    whole = marked(tmp_path, BLOCK)
    (tmp_path / BLOCK).mkdir(parents=True)
    (tmp_path / BLOCK / "SHA256SUMS").touch()
    clear_up(tmp_path).close()
    assert not whole.exists()
    assert (tmp_path / BLOCK / "SHA256SUMS").exists()


@pytest.mark.parametrize(
    "output", ["results/builds/demofs/worktree-plain-01234567", "results/e/metrics.csv", BLOCK]
)
def test_what_was_half_made_is_missing_and_no_more_than_that(tmp_path: Path, output: str) -> None:
    mark, half = marked(tmp_path, output), tmp_path / output
    half.mkdir(parents=True)
    (half / "demofs").touch()
    clear_up(tmp_path).close()
    assert not mark.exists()
    assert not half.exists()


def test_a_file_that_was_half_written_is_gone_and_its_neighbours_are_not(tmp_path: Path) -> None:
    marked(tmp_path, "results/e/metrics.csv")
    (tmp_path / "results/e").mkdir(parents=True)
    for name in ("metrics.csv", "plan.json"):
        (tmp_path / "results/e" / name).touch()
    clear_up(tmp_path).close()
    assert [path.name for path in (tmp_path / "results/e").iterdir()] == ["plan.json"]


@pytest.mark.parametrize("output", ["../precious", "results/../precious", "results", "experiments/e.yaml"])
def test_a_mark_for_anything_else_deletes_nothing(tmp_path: Path, output: str) -> None:
    root = tmp_path / "checkout"
    precious = root / output
    for folder in (root / "results/e", tmp_path / "precious", root / "precious", root / "experiments"):
        folder.mkdir(parents=True, exist_ok=True)
    if output.endswith(".yaml"):
        precious.touch()
    marked(root, output)
    clear_up(root).close()
    assert precious.exists()


def test_a_link_below_results_leads_to_no_deletion_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/v").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/e").symlink_to("../elsewhere")
    marked(tmp_path, "results/e/v")
    clear_up(tmp_path).close()
    assert (tmp_path / "elsewhere/v").is_dir()


def test_half_work_of_a_snakemake_that_lives_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / ".snakemake").mkdir()
    with (tmp_path / ".snakemake/fuselab.flock").open("a") as living:
        fcntl.flock(living, fcntl.LOCK_SH)
        marked(tmp_path, BLOCK)
        (tmp_path / BLOCK).mkdir(parents=True)
        clear_up(tmp_path).close()
    assert (tmp_path / BLOCK).is_dir()


def test_scripts_of_killed_jobs_are_gone_and_nothing_else_is(tmp_path: Path) -> None:
    scripts = tmp_path / ".snakemake/scripts"
    scripts.mkdir(parents=True)
    (tmp_path / "mine.py").touch()
    left, link = scripts / "tmpab12cd_4.time_block.py", scripts / "tmpab12cd_5.look.py"
    left.touch()
    link.symlink_to(tmp_path / "mine.py")
    (scripts / "mine.py").touch()
    clear_up(tmp_path).close()
    assert sorted(scripts.iterdir()) == [scripts / "mine.py", link]
    assert (tmp_path / "mine.py").exists()


def dated(path: Path, seconds_ahead: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    then = time.time() + seconds_ahead
    os.utime(path, (then, then))
    return path


def test_what_was_made_before_the_clock_was_set_back_is_no_longer_of_the_future(tmp_path: Path) -> None:
    """Snakemake fails a job whose output is older than its inputs. The order is kept, which is all that dates tell."""
    results = tmp_path / "results/e"
    earlier = dated(results / "plan.json", -60)
    ahead = [
        dated(results / name, 7_200 + i) for i, name in enumerate(("a/run.json", "a/SHA256SUMS", "b.csv"))
    ]
    alike = dated(results / "a/fio.json", 0)
    os.utime(alike, ns=(ahead[0].stat().st_mtime_ns,) * 2)
    os.utime(results / "a", (time.time() + 7_300,) * 2)
    before = earlier.stat().st_mtime_ns
    marked(tmp_path, "results/e/c.csv")
    os.utime(tmp_path / ".snakemake/incomplete", (time.time() + 7_210,) * 2)

    clear_up(tmp_path).close()

    dates = [path.stat().st_mtime_ns for path in (earlier, *ahead)]
    assert dates == sorted({*dates})
    assert dates[0] == before
    assert dates[-1] <= time.time_ns()
    assert alike.stat().st_mtime_ns == ahead[0].stat().st_mtime_ns
    assert dates[-1] < (results / "a").stat().st_mtime_ns <= time.time_ns()


def test_while_the_clock_goes_on_nothing_is_dated_anew(tmp_path: Path) -> None:
    """A file that a user has dated into the future is his own affair."""
    (tmp_path / ".snakemake/incomplete").mkdir(parents=True)
    odd = dated(tmp_path / "results/e/metrics.csv", 7_200)
    before = odd.stat().st_mtime_ns
    clear_up(tmp_path).close()
    assert odd.stat().st_mtime_ns == before
