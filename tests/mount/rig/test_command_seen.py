"""`looks_at: command`: profilers see the command of a load and all that it starts, and not the filesystem."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.records.profile import Profile
from fuselab.records.request import Load
from fuselab.records.run import RunRecord
from fuselab.system import cgroup
from fuselab.targets.model import ProfilerSupport

from .conftest import Rig

pytestmark = pytest.mark.mount

BURN_MS, WAIT_MS, LEAK_MIB, ASKS = 800, 600, 24, 400
WITHIN, HEAP_WITHIN = 0.05, 0.1

STARTED = {
    "itself": ("{chores}", "{words}"),
    "by a child": ("{chores}", "apart=1", "{words}"),
    "by a shell": ("sh", "-c", 'true; "$0" "$@"; true', "{chores}", "{words}"),
}


@dataclass(frozen=True)
class Seen:
    record: RunRecord
    out: Path
    profile: Profile

    def stacks(self, name: str = "folded.txt") -> dict[str, int]:
        lines = (self.out / "processed" / name).read_text().splitlines()
        return {stack: int(value) for stack, _, value in (line.rpartition(" ") for line in lines)}

    def held_in(self, function: str) -> int:
        return sum(value for stack, value in self.stacks().items() if function in stack.split(";"))

    def planted(self, what: str) -> int:
        """By the command's own clocks."""
        found = re.search(rf"{what}=(\d+)", (self.out / "command.log").read_text())
        assert found is not None
        return int(found[1])


@dataclass(frozen=True)
class Looking:
    """Runs of the command, on a filesystem that burns and waits in every write."""

    rig: Rig
    plainfs: Path
    chores: Path

    def seen(self, profiler: str, how: tuple[str, ...], *words: str) -> Seen:
        argv = [
            each
            for word in how
            for each in (words if word == "{words}" else (word.format(chores=self.chores),))
        ]
        costs = ("--burn-us=2000", "--sleep-us=2000", "--hold-mib=8")
        env = tuple(REGISTRY[profiler].environment(ProfilerSupport(profiler)).items())
        load = Load("command", "w", {"argv": argv, "looks_at": "command"}, timeout_s=60)
        record, out = self.rig.run(
            argv=(str(self.plainfs), "{state}", *costs, "{mountpoint}", "-f"), binary=str(self.plainfs), load=load,
            profilers=(ProfilerSupport(profiler, env=env),),
        )  # fmt: skip
        assert record.status == "ok", record.reason
        (out / "processed").mkdir()
        capture = CaptureFolder(out, 1, self.chores, 0, 0)
        return Seen(record, out, process_captures(REGISTRY[profiler], [capture], out / "processed"))


@pytest.fixture
def looking(rig: Rig, plainfs: Path, chores: Path) -> Looking:
    return Looking(rig, plainfs, chores)


@pytest.fixture(params=list(STARTED))
def how(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return STARTED[request.param]


@pytest.mark.alone
def test_the_burn_is_found_and_is_all_that_the_command_used(looking: Looking, how: tuple[str, ...]) -> None:
    seen = looking.seen("perf-oncpu", how, f"burn-ms={BURN_MS}")
    assert seen.held_in("burn_cpu") == pytest.approx(seen.planted("cpu_ns"), rel=WITHIN)
    assert seen.record.target is not None
    assert seen.record.target.cpu_s * 1e9 == pytest.approx(seen.planted("cpu_ns"), rel=WITHIN)
    assert seen.profile.status == "ok", seen.profile.notes


@pytest.mark.alone
def test_the_wait_is_found_whoever_waits(looking: Looking, how: tuple[str, ...]) -> None:
    seen = looking.seen("perf-offcpu", how, f"wait-ms={WAIT_MS}")
    assert seen.held_in("wait_asleep") == pytest.approx(seen.planted("asleep_ns"), rel=WITHIN)


def test_the_leak_is_live_at_the_end(looking: Looking, how: tuple[str, ...]) -> None:
    seen = looking.seen("jemalloc-heap", how, f"leak-mib={LEAK_MIB}")
    assert seen.held_in("leak_memory") == pytest.approx(LEAK_MIB << 20, rel=HEAP_WITHIN)
    assert float(seen.profile.figures["last_live_bytes"]) > 0.9 * (LEAK_MIB << 20)
    assert not seen.held_in("hold_memory"), "the filesystem has its own malloc, and keeps it"
    assert "leak_memory" in (seen.out / "processed" / "jeprof.svg").read_text()


def test_every_system_call_is_counted_under_who_makes_it(looking: Looking, how: tuple[str, ...]) -> None:
    seen = looking.seen("syscalls", how, f"asks={ASKS}")
    assert seen.profile.figures["lost_records"] == 0
    rows = {row["call"]: row for row in pq.read_table(seen.out / "processed/table.parquet").to_pylist()}
    calls = sum(n for stack, n in seen.stacks().items() if "ask_parent" in stack.split(";"))
    assert calls == ASKS <= rows["getppid"]["calls"]


@pytest.mark.parametrize("profiler", ["perf-oncpu", "perf-offcpu", "syscalls"])
def test_what_the_filesystem_does_for_the_command_is_not_in_the_picture(
    looking: Looking, profiler: str
) -> None:
    """128 writes, of which each burns 2 ms and waits 2 ms over there."""
    line = 'dd if=/dev/zero of=file bs=64k count=128 oflag=direct; exec "$0" "$@"'
    seen = looking.seen(profiler, ("sh", "-c", line, "{chores}", "{words}"), "burn-ms=200", "wait-ms=50")
    assert seen.profile.has_picture, seen.profile.notes
    by_program: Counter[str] = Counter()
    for stack, value in seen.stacks().items():
        by_program[stack.partition(";")[0]] += value
    assert "chores" in by_program
    # The rig is there for the moment in which it starts the command.
    assert by_program.keys() <= {"sh", "dd", "chores", "python"}
    assert by_program["python"] < 0.1 * seen.profile.total


def test_the_filesystem_is_mounted_as_in_a_timed_run(looking: Looking) -> None:
    seen = looking.seen("jemalloc-heap", STARTED["itself"], "leak-mib=1")
    assert "LD_PRELOAD" not in seen.record.env
    assert seen.record.pids["command"] != seen.record.pids["target"]


@pytest.mark.alone
def test_without_a_control_group_the_command_is_seen_all_the_same(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "_hierarchy", lambda: None)
    seen = looking.seen("perf-oncpu", STARTED["by a child"], f"burn-ms={BURN_MS}")
    assert seen.held_in("burn_cpu") == pytest.approx(seen.planted("cpu_ns"), rel=WITHIN)
    assert "plainfs" not in {stack.partition(";")[0] for stack in seen.stacks()}
    assert seen.record.target is None, "nobody has counted what it used"


def test_a_command_that_hangs_in_the_filesystem_is_noticed_while_it_is_looked_at(
    rig: Rig, plainfs: Path
) -> None:
    """It is looked at, and is the load all the same: whose progress the rig watches."""
    write = ["dd", "if=/dev/zero", "of={mountpoint}/file", "bs=4k", "count=8", "oflag=direct"]
    record, _ = rig.run(
        argv=(str(plainfs), "{state}", "--hang-at=3", "{mountpoint}", "-f"), binary=str(plainfs), hang_s=2.0,
        load=Load("command", "w", {"argv": write, "looks_at": "command"}, timeout_s=60),
        profilers=(ProfilerSupport("perf-offcpu"),),
    )  # fmt: skip
    assert (record.status, record.fault) == ("failed", "hung"), record.reason
