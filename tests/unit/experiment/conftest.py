"""A little repository to read experiments in, and a short way to write one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from fuselab.experiment.loading import Loaded, load_experiment

REPOSITORY = Path(__file__).resolve().parents[2] / "broken" / "repository"
LOAD = "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY, tmp_path / "repository")
    (tmp_path / "repository" / "experiments").mkdir()
    (tmp_path / "repository" / "Snakefile").touch()
    return tmp_path / "repository"


@pytest.fixture
def read(repository: Path) -> Callable[..., Loaded]:
    """Read the text as experiments/trial.yaml; a load is added unless it has one."""

    def read_text(text: str, load: str = LOAD) -> Loaded:
        path = repository / "experiments" / "trial.yaml"
        path.write_text("name: trial\n" + dedent(text) + load)
        return load_experiment(path, repository)

    return read_text
