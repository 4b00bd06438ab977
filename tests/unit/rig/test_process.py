"""What is started is stopped, by the softest means that works."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fuselab.errors import RigError, TargetError
from fuselab.programs import program
from fuselab.system.log import Log
from fuselab.system.process import Process, exit_words, plain_env, run, running


def shell(line: str, tmp_path: Path) -> tuple[Log, AbstractContextManager[Process]]:
    log = Log(tmp_path / "log")
    return log, running("it", ["sh", "-c", line], env=dict(os.environ), cwd=tmp_path, log=log)


def said(log: Log, word: str) -> None:
    deadline = time.monotonic() + 10
    while word not in log.last_lines():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_that_heeds_its_signal_ends_by_itself(tmp_path):
    log, started = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", tmp_path)
    with log, started as process:
        said(log, "ready")
        assert process.running
        assert process.exit_code is None
        assert process.stop(signal.SIGTERM, 10)
        assert process.exit_code == 7


def test_a_program_that_does_not_is_killed(tmp_path):
    log, started = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", tmp_path)
    with log, started as process:
        said(log, "ready")
        assert not process.stop(signal.SIGTERM, 0.2)
        assert process.exit_code == -signal.SIGKILL


def test_leaving_the_block_ends_it_and_what_it_started(tmp_path):
    log, started = shell("setsid sleep 1000 & echo $! started; wait", tmp_path)
    with log, started:
        said(log, "started")
        child = int(log.last_lines().split()[0])
        assert Path(f"/proc/{child}").exists()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "a child in a session of its own outlived its parent"
        time.sleep(0.01)


def step(*argv: str, tmp_path: Path, timeout_s: float = 10) -> None:
    run("step", argv, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log", timeout_s=timeout_s)


def test_an_error_shows_how_it_ended_and_its_last_words(tmp_path):
    with pytest.raises(TargetError, match=r"(?s)`sh -c .*` failed: step .exit code 3.*no luck"):
        step("sh", "-c", "echo no luck; exit 3", tmp_path=tmp_path)


def test_a_step_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(TargetError, match=r"did not end within 0\.2 s"):
        step("sleep", "1000", tmp_path=tmp_path, timeout_s=0.2)


def test_a_program_that_is_not_there_is_the_machines_fault(tmp_path):
    with pytest.raises(RigError, match="`no-such-program` is not installed"):
        step("no-such-program", tmp_path=tmp_path)


def test_a_program_that_cannot_run_is_the_machines_fault(tmp_path):
    (tmp_path / "prog").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "prog").chmod(0o755)
    with pytest.raises(RigError, match="cannot be started: Exec format error"):
        step(str(tmp_path / "prog"), tmp_path=tmp_path)


def test_a_script_whose_interpreter_is_missing_names_it(tmp_path):
    (tmp_path / "x.py").write_text("#! /usr/bin/python9.1 -u\n")
    (tmp_path / "x.py").chmod(0o755)
    with pytest.raises(
        RigError, match=r"interpreter `/usr/bin/python9\.1`, which the first line of .*x\.py names"
    ):
        step(str(tmp_path / "x.py"), tmp_path=tmp_path)


def test_a_program_of_another_system_is_not_called_missing(tmp_path):
    other = bytearray(Path("/bin/true").read_bytes())
    at = other.index(b"/lib")
    other[at : at + 4] = b"/nix"
    (tmp_path / "prog").write_bytes(other)
    (tmp_path / "prog").chmod(0o755)
    with pytest.raises(RigError, match="built for another system"):
        step(str(tmp_path / "prog"), tmp_path=tmp_path)


def test_a_program_that_may_not_be_executed_names_the_mend(tmp_path, monkeypatch):
    (tmp_path / "prog").touch()
    mend = f"chmod \\+x {tmp_path}/prog"
    with pytest.raises(RigError, match=mend):
        step(str(tmp_path / "prog"), tmp_path=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RigError, match=mend):
        step("prog", tmp_path=tmp_path)


def test_of_several_versions_the_newest_is_taken(tmp_path):
    for version in ("9", "15", "8.4"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "prog").touch()
    assert program(f"{tmp_path}/*/prog", {}) == f"{tmp_path}/15/prog"
    with pytest.raises(RigError):
        program(f"{tmp_path}/*/other", {})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-9, "killed by SIGKILL"),
        (-99, "killed by signal 99"),
        (137, "exit code 137, as of what was ended by SIGKILL"),
        (250, "exit code 250"),
    ],
)
def test_exit_codes_in_words(code, words):
    assert exit_words(code) == words


def test_only_what_everybody_has_is_inherited(tmp_path, monkeypatch):
    monkeypatch.setenv("RUST_LOG", "trace")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert {"RUST_LOG", "AWS_PROFILE"}.isdisjoint(plain_env(tmp_path))
    assert plain_env(tmp_path)["TMPDIR"] == str(tmp_path)


def test_an_activated_environment_of_ours_is_not_the_targets(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin:/opt/theirs/bin:{sys.prefix}/bin/:/usr/bin")
    assert plain_env(tmp_path)["PATH"] == "/opt/theirs/bin:/usr/bin"
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert plain_env(tmp_path)["PATH"] == os.environ["PATH"], "not in a virtual environment"


def test_how_it_ended_can_stand_without_what_it_said(tmp_path):
    with pytest.raises(TargetError) as loud:
        step("sh", "-c", "echo no; echo luck; exit 3", tmp_path=tmp_path)
    assert str(loud.value).splitlines()[0].endswith("failed: step (exit code 3):")
    with pytest.raises(TargetError) as mute:
        step("false", tmp_path=tmp_path)
    assert str(mute.value) == "`false` failed: step (exit code 1), which wrote nothing"
