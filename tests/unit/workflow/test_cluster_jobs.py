"""What a killed Snakemake has left with slurm is cancelled, and nothing else that is in its queue."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuselab.workflow.cluster_jobs import end_jobs_of_the_dead

RUN = "0b54a6c0-3f5e-4a53-9d1e-2f4c8a1d7b10"
SQUEUE = """#!/bin/sh
[ "$*" = "--me --noheader --format=%A|%j|%k|%Z" ] || exit 9
cat {queue}
"""
SCANCEL = """#!/bin/sh
echo "$*" >> {asked}
[ -e {deaf} ] || : > {queue}
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The rows that squeue prints; scancel empties it."""
    queue, programs = tmp_path / "queue", tmp_path / "bin"
    programs.mkdir()
    names = {"queue": queue, "asked": tmp_path / "asked", "deaf": tmp_path / "deaf"}
    for name, text in (("squeue", SQUEUE), ("scancel", SCANCEL)):
        (programs / name).write_text(text.format(**names))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "project/.snakemake/slurm_logs").mkdir(parents=True)
    return queue


def test_jobs_that_were_submitted_here_are_cancelled_and_no_other(
    queue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "project"
    rows = (
        f"11|{RUN}|rule_time_block_wildcards_x|{root}",
        f"12|{RUN}|rule_time_block_wildcards_x|{tmp_path / 'elsewhere'}",
        f"13|mine|rule_time_block_wildcards_x|{root}",
        f"14|{RUN}|(null)|{root}",
        f"15|{RUN}|rule_capture|{root}",
    )
    queue.write_text("\n".join([*rows, ""]))
    end_jobs_of_the_dead(root)
    assert (tmp_path / "asked").read_text() == "--full 11 15\n"
    assert "jobs of a snakemake that was killed here, and cancels them: 11, 15" in capsys.readouterr().err


def test_an_empty_queue_and_a_project_that_never_submitted_are_left_alone(
    queue: Path, tmp_path: Path
) -> None:
    queue.write_text("")
    end_jobs_of_the_dead(tmp_path / "project")
    queue.write_text(f"11|{RUN}|rule_x|{tmp_path / 'local'}\n")
    end_jobs_of_the_dead(tmp_path / "local")
    assert not (tmp_path / "asked").exists()


def test_a_job_that_does_not_end_ends_the_call_with_the_mend(
    queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deaf").touch()
    queue.write_text(f"11|{RUN}|rule_x|{tmp_path / 'project'}\n")
    monkeypatch.setattr("fuselab.workflow.cluster_jobs._ENDED_WITHIN_S", 0.0)
    with pytest.raises(SystemExit, match="scancel --full 11"):
        end_jobs_of_the_dead(tmp_path / "project")


def test_a_slurm_that_does_not_answer_ends_the_call(queue: Path, tmp_path: Path) -> None:
    queue.unlink(missing_ok=True)
    with pytest.raises(
        SystemExit, match="squeue does not say whether jobs of an earlier call are still at work"
    ):
        end_jobs_of_the_dead(tmp_path / "project")
