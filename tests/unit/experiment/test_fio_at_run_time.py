"""What fio takes when it is asked and refuses when it runs is a fault of the file; what it runs is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fuselab.commands.check import look_at
from fuselab.schema.diagnostics import flow

BROKEN = Path(__file__).resolve().parents[2] / "broken" / "repository"


@pytest.mark.parametrize(
    "options",
    [
        {"rw": "write", "bs": "4k"},
        {"rw": "write", "bs": "4k", "io_size": "1m"},
        {"rw": "write", "bs": "4k", "filesize": "1m"},
        {"rw": "write", "bs": "1m", "size": "64k"},
        {"rw": "randwrite", "bs": "128k,4k", "size": "64k"},
        {"rw": "randwrite", "bs": "64k", "size": "64k"},
    ],
    ids=flow,
)
def test_a_job_is_refused_just_where_fio_refuses_it(options: dict[str, str], tmp_path: Path):
    words = [f"--{name}={value}" for name, value in options.items()]
    (tmp_path / "run").mkdir()
    run = subprocess.run(["fio", "--name=w", *words], cwd=tmp_path / "run", capture_output=True, check=False)
    root = tmp_path / "repository"
    shutil.copytree(BROKEN, root)
    (root / "Snakefile").touch()
    (root / "experiments").mkdir()
    file = root / "experiments/trial.yaml"
    file.write_text(
        "name: trial\ntarget: demo\nvariants: {old: {}, new: {env: {A: b}}}\n"
        f"workloads: {{w: {{fio: {flow(options)}}}}}\n"
    )
    problems, _ = look_at(file)
    refused = [problem for problem in problems if "fio refuses" in problem.message]
    assert refused == list(problems)
    assert bool(refused) == (run.returncode != 0), (run.stderr, problems)
