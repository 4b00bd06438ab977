"""The little repository of tests/broken/ as the working folder, and a way to call `fuselab` in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fuselab.cli import main
from fuselab.system import tracing

REPOSITORY = Path(__file__).resolve().parents[2] / "broken" / "repository"
EXPERIMENT = """\
name: trial
target: demo
control: true
variants: {old: {}, new: {options: {cache: 64m}}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}}
profilers: [perf-oncpu]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    shutil.copytree(REPOSITORY, root)
    (root / "Snakefile").touch()
    (root / "experiments").mkdir()
    (root / "experiments" / "trial.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(root)
    monkeypatch.setattr(
        tracing, "INSTANCES", tmp_path / "no instances"
    )  # those of the machine are everybody's
    return root


@pytest.fixture
def fuselab(repository: Path) -> Callable[..., Result]:
    """Run one verb in the little repository; the result says exit code and output."""
    return lambda *words: CliRunner().invoke(main, list(words))
