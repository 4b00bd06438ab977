"""Who waits for a lock says so at once, and for whom: a build of another checkout may take minutes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from fuselab.building.running import run

HOLD = """
import sys, pathlib
from fuselab.locks import locked
with locked(pathlib.Path(sys.argv[1]), waiting="demofs/a: waiting for another build", goes_on="demofs/a: building"):
    print("building", flush=True)
    sys.stdin.read()
"""


def hold(lock: Path, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], cwd=cwd, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def test_the_second_names_the_process_and_the_folder_that_it_waits_for(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with hold(tmp_path / "lock", other) as first:
        assert line(first.stdout) == "building"
        with hold(tmp_path / "lock", tmp_path) as second:
            said = f"demofs/a: waiting for another build: process {first.pid}, in {other}"
            assert line(second.stderr) == said
            first.communicate()
            assert line(second.stdout) == "building"
            assert line(second.stderr).startswith("demofs/a: building, after having waited for ")
            second.communicate()


def test_a_cargo_that_waits_for_another_is_heard_on_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr("fuselab.building.running.on_screen", heard.append)
    waits = "Blocking waiting for file lock on package cache"
    run(
        ["sh", "-c", f"echo '    {waits}'; echo '   Compiling demofs'"],
        tmp_path,
        dict(os.environ),
        "building demofs",
    )
    assert heard == [f"building demofs: another cargo of this user runs: {waits}"]
