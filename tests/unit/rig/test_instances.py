"""Tracing instances of killed runs are told by a lock from those of living ones, and by name from somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conftest import CHECKOUT

from fuselab.commands import clean
from fuselab.files import open_folder
from fuselab.locks import lock
from fuselab.system import tracing


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """A killed run's, a living run's, and two that are none of fuselab's."""
    monkeypatch.setattr(tracing, "INSTANCES", tmp_path)
    names = {
        "killed": f"{tracing.PREFIX}{'0' * 16}",
        "living": f"{tracing.PREFIX}{'1' * 16}",
        "mine": f"{tracing.PREFIX}of-mine",
        "else": "trace-cmd",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
    return {what: tmp_path / name for what, name in names.items()}


def test_only_what_killed_runs_have_left_is_swept(instances: dict[str, Path]) -> None:
    with open_folder(instances["living"]) as folder:
        lock(folder)
        assert tracing.dead() == [instances["killed"]]
        tracing.sweep()
    assert {what for what, path in instances.items() if path.exists()} == {"living", "mine", "else"}


def test_what_may_not_be_looked_at_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracing, "INSTANCES", tmp_path / "nothing")
    tracing.sweep()
    assert tracing.dead() == []


def test_clean_says_what_killed_runs_have_left(
    instances: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    with open_folder(instances["living"]) as folder:
        lock(folder)
        said = CliRunner().invoke(clean.command, catch_exceptions=False).output
    assert f"{instances['killed']} is of a run that was killed" in said
    assert str(instances["living"]) not in said
