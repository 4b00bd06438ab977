"""The target is all of its processes: those it forked before the mount, those that left it, those that come and go."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from fuselab.doctor import machine
from fuselab.records.request import Load
from fuselab.system import cgroup

pytestmark = pytest.mark.mount

BURN_US, WRITES = 2000, 256
PLANTED_S = BURN_US * WRITES / 1e6
"""Of the server, and as much again of its workers."""


def fio(**options: str) -> Load:
    return Load(kind="fio", workload="w", settings={"jobs": {"job": options}, "global": {}}, randseed=1)


def burning(plainfs: Path, *knobs: str) -> dict[str, object]:
    """A server whose every write costs it and one of its two workers 2 ms each."""
    costs = (f"--burn-us={BURN_US}", f"--worker-burn-us={BURN_US}", "--workers=2", *knobs)
    return {
        "argv": (str(plainfs), "{state}", *costs, "{mountpoint}", "-f"),
        "binary": str(plainfs),
        "load": fio(rw="write", bs="64k", size=f"{WRITES * 64}k", direct="1"),
    }


@pytest.fixture(params=["group", "no group"])
def walls(request, monkeypatch):
    """With a control group, and as it is where none can be made (without root, in most containers)."""
    if request.param == "no group":
        monkeypatch.setattr(cgroup, "_hierarchy", lambda: None)


@pytest.mark.parametrize("knobs", [(), ("--detached=1",)], ids=["children", "left the family"])
def test_workers_count_as_the_target_whoever_their_parent_is(rig, plainfs, walls, knobs):
    program = shutil.copy(plainfs, rig.root / "ownfs")  # by a name that no other test's has
    record, _ = rig.run(**burning(program, *knobs))
    assert record.status == "ok", record.reason
    assert not any("ownfs" in mark for mark in record.marks), "its own are no other processes on the machine"
    assert len(record.family) == 3
    assert record.pids["target"] == min(record.family), (
        "the server serves the mount, though workers hold /dev/fuse"
    )
    # On a busy machine part of each burn passes without the CPU; without its workers the server has half of it.
    assert 1.5 * PLANTED_S <= record.target.cpu_s < 2.6 * PLANTED_S


def test_a_process_that_came_and_went_during_the_load_was_used_by_the_target(rig, walls):
    """Three of them, each of which says what it used; for one of these nobody waits."""
    used = rig.root / "used"
    work = "import os, time; sum(range(20000000)); print(time.process_time(), flush=True); os._exit(0)"
    burn = f"{sys.executable} -I -S -c '{work}' >> {used}"
    wait = f"until [ -e {rig.root}/go ]; do sleep 0.1; done"
    line = f'({wait}; {burn}; ({burn} &) ; {burn}) & exec bindfs -f "$0" "$1"'
    load = (
        f"touch {rig.root}/go; until [ $(cat {used} 2>/dev/null | wc -l) = 3 ]; do sleep 0.1; done; sleep 0.5"
    )
    record, _ = rig.run(
        argv=("sh", "-c", line, "{state}", "{mountpoint}"),
        load=Load("command", "w", {"argv": ["sh", "-c", load]}, timeout_s=60),
    )
    assert record.status == "ok", record.reason
    said_s = [float(word) for word in used.read_text().split()]
    assert record.target.cpu_s == pytest.approx(sum(said_s), rel=0.2)


def test_what_the_load_starts_is_not_the_targets(rig, walls):
    burn = 'python3 -c "sum(range(20000000))"'
    record, _ = rig.run(load=Load("command", "w", {"argv": ["sh", "-c", f"{burn} & {burn}; wait"]}))
    assert record.status == "ok", record.reason
    assert record.target.cpu_s < 0.1


@pytest.fixture
def home(monkeypatch, tmp_path):
    """A group for groups, where those of other runs on this machine are not."""
    if (found := cgroup._hierarchy()) is None or not os.access(found[0] / found[1], os.W_OK):
        pytest.skip("this machine has no control groups to make")
    mountpoint, own = found
    name = f"{own}/test-{os.getpid()}".lstrip("/")
    (mountpoint / name).mkdir()
    monkeypatch.setattr(cgroup, "_hierarchy", lambda: (mountpoint, name))
    yield mountpoint / name
    (mountpoint / name).rmdir()


def test_no_group_is_left_and_those_of_killed_runs_are_swept(rig, plainfs, home):
    of_a_killed_run, of_somebody = (home / f"{cgroup.PREFIX}{digit * 16}" for digit in "01")
    of_a_killed_run.mkdir()
    os.setxattr(of_a_killed_run, "trusted.fuselab", b"")
    of_somebody.mkdir()
    with cgroup.new_group() as held:
        rig.run(**burning(plainfs, "--detached=1"))
        found = {path for path in home.iterdir() if path.is_dir()}
    of_somebody.rmdir()
    assert held is not None
    assert found == {held.path, of_somebody}
    assert not held.path.exists()


def test_a_machine_without_groups_of_version_2_is_told_by_none(monkeypatch):
    monkeypatch.setattr(cgroup, "_hierarchy", lambda: (Path("/proc"), "self"))
    with cgroup.new_group() as group:
        assert group is None
    assert "perf looks at single threads" in str(machine.group()), "and says what that costs"


def test_the_doctor_leaves_no_group_behind(home):
    assert "a run can have one" in str(machine.group())
    assert not [path for path in home.iterdir() if path.is_dir()]
