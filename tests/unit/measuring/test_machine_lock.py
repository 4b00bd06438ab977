"""One measurement at a time on a machine: who waits says for whom, and a dead process holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fuselab.measuring import machine_lock
from fuselab.measuring.attempts import NO_PATIENCE

HOLD = """
import sys, pathlib
from fuselab.measuring import machine_lock
machine_lock._folders = lambda user: [pathlib.Path(sys.argv[1])]
with machine_lock.measuring():
    print("measuring", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(NO_PATIENCE, raising=False)
    monkeypatch.setattr(machine_lock, "_folders", lambda user: [tmp_path / "lock"])
    return tmp_path / "lock"


@pytest.fixture
def start(folder: Path) -> Callable[..., subprocess.Popen[str]]:
    def begin(**env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)], env={**os.environ, **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return begin


def line(stream: object) -> str:
    return stream.readline().strip()  # type: ignore[attr-defined,no-any-return]


def test_the_second_waits_says_for_whom_and_goes_on_when_the_first_is_killed(start) -> None:
    with start() as first:
        assert line(first.stdout) == "measuring"
        with start() as second:
            said = f"waiting for another measurement on this machine: process {first.pid}, in {Path.cwd()}"
            assert line(second.stderr) == said
            first.send_signal(signal.SIGKILL)
            assert line(second.stdout) == "measuring"
            assert line(second.stderr).startswith("measuring, after having waited for ")
            second.stdin.close()
        first.stdin.close()


def test_who_has_no_patience_waits_for_nobody_and_nobody_for_him(start) -> None:
    with start(**{NO_PATIENCE: "1"}) as first, start() as second, start(**{NO_PATIENCE: "1"}) as third:
        assert [line(job.stdout) for job in (first, second, third)] == ["measuring"] * 3
        for job in (first, second, third):
            job.stdin.close()


def test_a_folder_that_others_can_open_or_that_is_a_link_is_passed_by(tmp_path: Path, monkeypatch) -> None:
    open_to_all, link, own = tmp_path / "open", tmp_path / "link", tmp_path / "own"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    link.symlink_to(own)
    monkeypatch.setattr(machine_lock, "_folders", lambda user: [open_to_all, link, own])
    descriptor = machine_lock._open_folder(os.geteuid())
    assert descriptor is not None
    assert os.path.samestat(os.fstat(descriptor), own.stat())
    os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_another_user_is_passed_by_and_none_is_made_for_him(tmp_path: Path, monkeypatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 54321, 54321)
    monkeypatch.setattr(machine_lock, "_folders", lambda user: [theirs, tmp_path / "not-there"])
    descriptor = machine_lock._open_folder(54321)
    assert descriptor is not None, "that of who typed sudo"
    os.close(descriptor)
    monkeypatch.setattr(machine_lock, "_folders", lambda user: [tmp_path / "not-there"])
    assert machine_lock._open_folder(54321) is None
    assert not (tmp_path / "not-there").exists()
    monkeypatch.setattr(machine_lock, "_folders", lambda user: [theirs])
    assert machine_lock._open_folder(0) is None


def test_root_behind_sudo_takes_the_lock_of_who_typed_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", "1000")
    assert machine_lock._users() == [1000, 0]
    monkeypatch.setenv("SUDO_UID", "0")
    assert machine_lock._users() == [0]
