"""perf sees the whole target, and the target alone, and takes next to nothing from it."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT

from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.records.profile import Profile
from fuselab.records.request import Load
from fuselab.targets.model import ProfilerSupport

pytestmark = pytest.mark.mount

BURN_US, WRITES = 2000, 256
ROUNDS = 500_000_000


def looked_at(rig, profiler: str, argv: tuple[str, ...], binary: Path, load: Load):
    """(record, folder, profile) of one capture."""
    record, out = rig.run(argv=argv, binary=str(binary), load=load, profilers=(ProfilerSupport(profiler),))
    assert record.status == "ok", record.reason
    processed = out / "processed"
    processed.mkdir()
    capture = CaptureFolder(out, 1, binary, 0, 0)
    return record, out, process_captures(REGISTRY[profiler], [capture], processed)


def writes(**options: str) -> Load:
    size = {"bs": "64k", "size": f"{WRITES * 64}k", "direct": "1"}
    return Load("fio", "w", {"jobs": {"job": {"rw": "write", **size, **options}}, "global": {}}, randseed=1)


@contextmanager
def neighbour(folder: Path) -> Iterator[str]:
    """Somebody else on the machine who starts programs of a name of his own all the time, which this yields."""
    name = "next-door-neighbour"
    (folder / name).write_bytes(Path("/bin/true").read_bytes())
    (folder / name).chmod(0o755)
    child = subprocess.Popen(["sh", "-c", f"while :; do {folder / name}; done"])
    try:
        yield name
    finally:
        child.kill()
        child.wait()


def samples(folder: Path) -> Counter[int]:
    """Of each process, as perf itself counts them."""
    argv = ["perf", "script", "-f", "-i", str(folder / "perf-oncpu.data"), "-F", "pid,event"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return Counter(int(line.split()[0]) for line in said.splitlines() if "cpu-clock" in line)


def caveats(profile: Profile, *words: str) -> list[str]:
    return [note for note in profile.notes if any(word in note for word in words)]


@pytest.mark.parametrize("knobs", [(), ("--detached=1",)], ids=["children", "left the family"])
def test_server_and_workers_are_in_the_profile_with_all_of_their_time(rig, plainfs, knobs):
    costs = (f"--burn-us={BURN_US}", f"--worker-burn-us={BURN_US}", "--workers=2", *knobs)
    argv = (str(plainfs), "{state}", *costs, "{mountpoint}", "-f")
    record, folder, profile = looked_at(rig, "perf-oncpu", argv, plainfs, writes())
    assert profile.total / 1e9 == pytest.approx(record.target.cpu_s, rel=0.1)
    assert not caveats(profile, "perf saw", "Looking took")
    of_each = samples(folder)
    assert of_each.keys() == set(record.family), "the target's processes, and nobody else's"
    server = record.pids["target"]
    workers = of_each.total() - of_each[server]
    assert workers == pytest.approx(of_each[server], rel=0.25), "each was given as much to do"


def test_who_comes_and_goes_is_seen_and_a_thread_that_ends_does_not_make_perf_spin(rig, plainfs, tmp_path):
    company = tmp_path / "company"
    source = CHECKOUT / "tests" / "programs" / "company.c"
    subprocess.run(
        ["gcc", "-O1", "-g", "-fno-omit-frame-pointer", "-pthread", source, "-o", company], check=True
    )
    line = f'{company} "$0/go" {ROUNDS} & exec {plainfs} "$0" "$1" -f'
    argv = ("sh", "-c", line, "{state}", "{mountpoint}")
    wait = "sleep 0.5; touch {mountpoint}/go; until [ -e {mountpoint}/go.done ]; do sleep 0.1; done"
    load = Load("command", "w", {"argv": ["sh", "-c", wait]}, timeout_s=60)
    record, folder, profile = looked_at(rig, "perf-oncpu", argv, company, load)
    window_s = record.load_window_s[1] - record.load_window_s[0]
    assert record.observers_s["perf-oncpu"] < 0.02 * window_s
    assert profile.total / 1e9 == pytest.approx(record.target.cpu_s, rel=0.15)
    table = (folder / "processed" / "folded.txt").read_text().splitlines()
    apart = sum(int(line.rpartition(" ")[2]) for line in table if ";work_apart" in line)
    assert apart > 0.8 * profile.total, "it left its family, and was gone before the load ended"


def test_waits_of_workers_that_left_are_found_and_those_of_others_are_not(rig, plainfs):
    argv = (str(plainfs), "{state}", "--sleep-us=5000", "--workers=2", "--detached=1", "{mountpoint}", "-f")
    with neighbour(rig.root) as name:
        record, folder, profile = looked_at(rig, "perf-offcpu", argv, plainfs, writes())
    assert name.encode() not in (folder / "perf-offcpu.data").read_bytes(), (
        "what others do is not even recorded"
    )
    folded = (folder / "processed" / "folded.txt").read_text().splitlines()
    asleep_ns = sum(int(line.rpartition(" ")[2]) for line in folded if ";wait_asleep" in line)
    assert 1.0 <= asleep_ns / (WRITES * 5e6) < 1.5
    assert {line.partition(";")[0] for line in folded} == {"plainfs"}
    assert profile.figures["threads"] >= 3
    assert not caveats(profile, "Looking took")
    assert record.observers_s["perf-offcpu"] > 0


def total_ns(folder: Path, name: str, *frames: str) -> int:
    """Of the stacks of a processed file that have all these frames."""
    table = (folder / "processed" / name).read_text().splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in table if all(frame in line for frame in frames))


def test_threads_without_a_request_have_a_picture_of_their_own(rig, plainfs):
    """What a request waits for is seen beside it: by far the most of what is left was planted."""
    argv = (str(plainfs), "{state}", "--sleep-us=5000", "{mountpoint}", "-f")
    record, folder, profile = looked_at(rig, "perf-offcpu", argv, plainfs, writes(thinktime="20ms"))
    idle_ns = total_ns(folder, "idle.txt")
    window_s = record.load_window_s[1] - record.load_window_s[0]
    assert idle_ns == profile.figures["idle_ns"] > 0.5e9 * window_s
    assert total_ns(folder, "idle.txt", "fuse_dev_do_read") == idle_ns
    assert total_ns(folder, "folded.txt", "fuse_dev_do_read") == 0
    assert (
        total_ns(folder, "folded.txt", ";wait_asleep")
        > 0.8 * profile.total
        == 0.8 * profile.figures["blocked_ns"]
    )
    assert profile.figures["whole_stack_share"] > 0.9, "through a libfuse without frame pointers"
    assert (folder / "processed" / "idle.svg").is_file()
    assert profile.pictures["Idle: waited for something to do"] == "idle.svg"


def test_a_target_that_only_ever_waits_for_requests_is_no_failed_capture(rig, plainfs):
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f", "-s")
    load = Load("command", "w", {"argv": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do ls; sleep 0.02; done"]})
    _, folder, profile = looked_at(rig, "perf-offcpu", argv, plainfs, load)
    assert profile.status in ("ok", "limited")
    assert profile.figures["idle_ns"] > 1e8
    if profile.total == 0:
        assert "there is nothing to draw" in " ".join(profile.notes)
    assert (folder / "processed" / "idle.svg").is_file()


def test_who_burns_is_named_behind_the_clock_and_what_naming_needs_is_kept(rig, plainfs):
    """burn_cpu reads the clock all the time: it is behind the kernel's vdso and glibc."""
    argv = (str(plainfs), "{state}", f"--burn-us={BURN_US}", "{mountpoint}", "-f")
    _, folder, profile = looked_at(rig, "perf-oncpu", argv, plainfs, writes())
    assert total_ns(folder, "folded.txt", ";burn_cpu") > 0.8 * profile.total, "next to nothing else is done"
    said = subprocess.run(["readelf", "-n", plainfs], capture_output=True, text=True, check=True).stdout
    known = json.loads((folder / "modules.json").read_text())
    assert known[str(plainfs)] == re.findall(r"Build ID: (\w+)", said)
    assert any("libfuse3" in module for module in known)
    symbols = subprocess.run(
        ["nm", "-D", folder / "vdso.so"], capture_output=True, text=True, check=True
    ).stdout
    assert "__vdso_clock_gettime" in symbols
