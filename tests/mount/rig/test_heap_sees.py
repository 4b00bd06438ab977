"""The heap of a target is that of all its processes, each with what it has of its own, and of nobody else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.records.profile import Profile
from fuselab.targets.model import ProfilerSupport

from .conftest import Rig, fio

pytestmark = pytest.mark.mount

MIB = 2**20
HEAP = REGISTRY["jemalloc-heap"]


def looked_at(rig: Rig, argv: tuple[str, ...], binary: Path) -> Profile:
    """The profile of one capture; its folded stacks lie in `processed`."""
    env = tuple(HEAP.environment(ProfilerSupport(HEAP.name)).items())
    support = ProfilerSupport(HEAP.name, env=env)
    load = fio(rw="write", bs="64k", size="4m")
    record, out = rig.run(argv=argv, env=env, binary=str(binary), load=load, profilers=(support,))
    assert record.status == "ok", record.reason
    (out / "processed").mkdir()
    return process_captures(HEAP, [CaptureFolder(out, 1, binary, 0, 0)], out / "processed")


def figure(profile: Profile, name: str) -> float:
    return float(profile.figures[name])


def held(rig: Rig, function: str) -> int:
    lines = [
        line.rpartition(" ")
        for path in rig.root.glob("*/processed/folded.txt")
        for line in path.read_text().splitlines()
    ]
    return sum(int(value) for stack, _, value in lines if function in stack.split(";"))


@pytest.mark.parametrize("knobs", [(), ("--detached=1",)], ids=["children", "left the family"])
def test_what_server_and_workers_hold_is_added_up(rig: Rig, plainfs: Path, knobs: tuple[str, ...]) -> None:
    """The workers are forked when the server holds its 10 MiB: they count once."""
    costs = ("--hold-mib=10", "--workers=2", "--worker-hold-mib=20", *knobs)
    profile = looked_at(rig, (str(plainfs), "{state}", *costs, "{mountpoint}", "-f"), plainfs)
    assert held(rig, "hold_memory") == pytest.approx(10 * MIB, rel=0.1)
    assert held(rig, "worker_hold") == pytest.approx(40 * MIB, rel=0.1)
    assert 50 * MIB < figure(profile, "peak_live_bytes") < 60 * MIB
    assert any("processes of the target held memory: added up" in note for note in profile.notes)


def test_a_target_that_is_started_by_a_script_is_seen_and_the_script_is_not(rig: Rig, plainfs: Path) -> None:
    line = 'x=$(head -c 3000000 /dev/zero | tr "\\\\0" x); "$2" "$0" --hold-mib=2 "$1" -f; sync'
    profile = looked_at(rig, ("sh", "-c", line, "{state}", "{mountpoint}", str(plainfs)), plainfs)
    assert held(rig, "hold_memory") == pytest.approx(2 * MIB, rel=0.1)
    assert figure(profile, "peak_live_bytes") < 30 * MIB


def test_a_program_of_the_distribution_shows_its_own_memory_and_no_pool(rig: Rig) -> None:
    """Its dump at the exit holds libstdc++'s pool, which jemalloc brings along, and nothing of its own."""
    bindfs = Path(shutil.which("bindfs") or "")
    profile = looked_at(rig, (str(bindfs), "-f", "{state}", "{mountpoint}"), bindfs)
    assert profile.status != "refused", profile.notes
    assert figure(profile, "peak_live_bytes") > 10 * figure(profile, "last_live_bytes")
    assert figure(profile, "peak_live_bytes") > MIB // 8, "the buffer of one request at least"
    assert not held(rig, "[libstdc++.so.6]")
