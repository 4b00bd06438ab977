"""What the doctor makes of the answers of several nodes, and where nothing can be asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuselab.cli import main
from fuselab.doctor.base import ok
from fuselab.doctor.nodes import unlike
from fuselab.project import CHECKOUT


def test_a_node_of_another_kind_is_named_beside_the_first() -> None:
    alike = [ok("machine", "Linux 6.1 on x86_64, 16 cores"), ok("libc", "glibc 2.36")]
    older = [alike[0], ok("libc", "glibc 2.31")]
    lines = list(unlike({"n1": alike, "n2": alike, "n3": older}))
    assert [(line.level, line.what, line.text) for line in lines] == [
        ("note", "n3: libc", "glibc 2.31, where n1 has glibc 2.36")
    ]
    assert list(unlike({})) == []


@pytest.mark.parametrize("argv", [("doctor",), ("run", "quickstart")])
def test_without_slurm_the_mend_is_said(argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(main, [*argv, "--on", "slurm"])
    assert done.exit_code == 1
    assert "there is no `sbatch` on PATH: call this where you submit jobs" in done.output


@pytest.mark.parametrize("argv", [("doctor",), ("run", "trial")])
def test_a_slurm_that_does_not_answer_is_said_before_anything_is_made(
    argv: tuple[str, ...], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sbatch", "sinfo"):
        program = repository / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\necho 'sinfo: error: Unable to contact slurm controller' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{repository / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("fuselab.commands.cluster.find_spec", lambda name: name)
    monkeypatch.chdir(repository)
    shutil.copytree(CHECKOUT / "profiles", repository / "profiles")
    done = CliRunner().invoke(main, [*argv, "--on", "slurm"])
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        1, "fuselab: slurm does not answer: sinfo: error: Unable to contact slurm controller",
    )  # fmt: skip
    assert not (repository / "results").exists()
