"""What a profiler can do for a target is said before anything is captured, with the reason, on real programs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.files import write_json
from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.targets.loading import load_target
from fuselab.targets.model import Installed, Target

HELLO = 'int main(void) { __builtin_puts("hello"); return 0; }\n'
GO_PROGRAM = shutil.which("etcd") or ""
"""Debian's etcd: written in Go."""
PRELOADED = {"LD_PRELOAD": "libjemalloc.so.2"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`static` and `dynamic`, compiled from C, and `script`."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "hello.c").write_text(HELLO)
    for name, options in (("static", ["-static"]), ("dynamic", [])):
        subprocess.run(["gcc", *options, folder / "hello.c", "-o", folder / name], check=True)
    (folder / "script").write_text("#!/bin/sh\necho hello\n")
    (folder / "script").chmod(0o755)
    return folder


def installed(checkout: Path, program: Path | str) -> Target:
    """bindfs's target.yaml, with another program."""
    target = load_target("bindfs", checkout)
    assert isinstance(target.build, Installed)
    return replace(target, build=replace(target.build, binary=str(program)))


@pytest.mark.parametrize(
    ("name", "level", "reason"),
    [
        ("static", "unavailable", "statically linked"),
        ("dynamic", "limited", "malloc is replaced by jemalloc"),
        ("script", "limited", "malloc is replaced by jemalloc"),
        (GO_PROGRAM, "unavailable", "Go program"),
    ],
)
def test_whose_heap_can_be_seen_by_preloading(
    checkout: Path, programs: Path, name: str, level: str, reason: str
) -> None:
    found = REGISTRY["jemalloc-heap"].capability(installed(checkout, programs / name))
    assert found.level == level
    assert reason in found.reason


@pytest.mark.parametrize("profiler", ["perf-oncpu", "perf-offcpu"])
def test_stacks_of_a_packaged_program_are_limited(checkout: Path, profiler: str) -> None:
    found = REGISTRY[profiler].capability(load_target("bindfs", checkout))
    assert found.level == "limited"
    assert "frame pointers" in found.reason


@pytest.mark.parametrize("profiler", ["trace-chrome", "trace-flame", "tokio-console", "criterion-flamegraph"])
def test_what_the_program_must_support_is_unavailable_unless_described(checkout: Path, profiler: str) -> None:
    assert REGISTRY[profiler].capability(load_target("demofs", checkout)).level == "ok"
    found = REGISTRY[profiler].capability(load_target("bindfs", checkout))
    assert found.level == "unavailable"
    assert "does not describe it" in found.reason


def test_a_directory_has_no_program_to_look_at(checkout: Path) -> None:
    found = REGISTRY["perf-oncpu"].capability(load_target("directory", checkout))
    assert (found.level, "no program" in found.reason) == ("unavailable", True)


@pytest.fixture
def captured(golden: Path, tmp_path: Path, run_record):
    """A capture of a program whose helpers, and it not, left heap dumps."""

    def captured(program: Path, record: str = "run.json", env: dict[str, str] = PRELOADED) -> CaptureFolder:
        shutil.copy(golden / "heap/p.27415.5.f.heap", tmp_path / "jeprof.25.0.f.heap")
        said = run_record(pids={"target": 6}, env=env, exit_codes={"target": 0, "load": 0})
        write_json(tmp_path / record, said)
        return CaptureFolder(tmp_path, 1, program, 0, 0)

    return captured


@pytest.mark.parametrize(
    ("name", "said"), [("static", "is statically linked"), (GO_PROGRAM, "is a Go program")]
)
def test_what_a_command_built_is_known_when_it_is_there(
    programs: Path, captured, tmp_path: Path, name: str, said: str
) -> None:
    """A program that takes no preloaded malloc is no failure: the profiler is unavailable for it."""
    profile = process_captures(REGISTRY["jemalloc-heap"], [captured(programs / name)], tmp_path / "out")
    assert profile.status == "unavailable"
    assert f"{Path(name).name} {said}" in profile.notes[0]
    assert "unavailable: why" in profile.fix


def test_of_a_run_that_failed_the_failure_counts(programs: Path, captured, tmp_path: Path) -> None:
    capture = captured(programs / "static", record="attempt.json")
    profile = process_captures(REGISTRY["jemalloc-heap"], [capture], tmp_path / "out")
    assert profile.status == "refused"
    assert "is statically linked" in profile.notes[0]


@pytest.mark.parametrize(("name", "env"), [("static", {}), ("dynamic", PRELOADED)])
def test_a_program_that_could_have_been_seen_is_refused(
    programs: Path, captured, tmp_path: Path, name: str, env: dict[str, str]
) -> None:
    """A static program may have a jemalloc of its own."""
    profile = process_captures(
        REGISTRY["jemalloc-heap"], [captured(programs / name, env=env)], tmp_path / "out"
    )
    assert profile.status == "refused"
    assert "no heap dump of the process that serves the mount (6), only of [25]" in profile.notes[0]


@pytest.mark.skipif(not GO_PROGRAM, reason="etcd is not installed")
def test_of_a_go_program_the_reason_says_what_go_offers_instead(checkout: Path) -> None:
    found = REGISTRY["jemalloc-heap"].capability(installed(checkout, GO_PROGRAM))
    assert "runtime/pprof" in found.reason
    assert "go tool pprof" in found.reason
