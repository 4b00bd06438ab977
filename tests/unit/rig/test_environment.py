"""The machine around a run is judged by what others do to it, never by what the run does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.rig import environment
from fuselab.rig.environment import Sample, noise, other_cpu_s
from fuselab.system import kernel, procfs
from fuselab.system.procfs import CpuTimes, ProcessTimes


def process(
    name: str = "p", own: float = 0.0, children: float = 0.0, parent: int = 1, kernel_thread: bool = False
) -> ProcessTimes:
    return ProcessTimes(name, parent, own, children, kernel_thread, state="S")


def sample(at: float, others: dict[int, ProcessTimes], total: int = 1000, steal: int = 0) -> Sample:
    return Sample(at, {"cpu": 0, "io": 0, "memory": 0}, CpuTimes(total, steal), others, 0, 0)


def test_what_a_living_process_used_is_counted():
    assert other_cpu_s({5: process(own=10)}, {5: process(own=10.5)}) == pytest.approx(0.5)


def test_what_began_in_between_is_counted_whole():
    assert other_cpu_s({}, {7: process(own=0.3)}) == pytest.approx(0.3)


def test_what_began_and_ended_in_between_is_counted_by_its_parent():
    assert other_cpu_s({5: process(children=100)}, {5: process(children=101.5)}) == pytest.approx(1.5)


def test_what_a_process_used_long_before_it_ended_is_not_counted():
    """An hour's compiler ends in the window: its hour moves to its parent then, but was not used then."""
    before = {5: process("make"), 6: process("rustc", own=3600, parent=5)}
    assert other_cpu_s(before, {5: process("make", children=3600.2)}) == pytest.approx(0.2)


def test_a_process_nobody_waits_for_takes_nothing_off_the_others():
    before = {5: process(own=1), 6: process("lost", own=50)}
    assert other_cpu_s(before, {5: process(own=1.4)}) == pytest.approx(0.4)


def test_a_quiet_machine_has_nothing_to_say():
    assert noise(sample(0, {5: process(own=1)}), sample(10, {5: process(own=1.1)}, total=3000)) is None


def test_other_processes_are_named():
    said = noise(sample(0, {5: process("cargo")}), sample(10, {5: process("cargo", own=4)}, total=3000))
    assert said == ("other processes used 40% of a core during the load (limit 5%): cargo (pid 5) 40%")


def test_steal_is_named():
    said = noise(sample(0, {}, total=0), sample(10, {}, total=1000, steal=30))
    assert said is not None
    assert "took 3.0% of the CPU time away" in said


def test_of_two_disturbances_both_are_named():
    before, after = (
        sample(0, {5: process("cargo")}, total=0),
        sample(10, {5: process("cargo", own=4)}, steal=30),
    )
    said = noise(before, after)
    assert said is not None
    assert said.split("; ")[0].startswith("the hypervisor took 3.0%")
    assert said.split("; ")[1].startswith("other processes used 40% of a core")


def test_the_limits_are_limits():
    allowed = environment.VOID_OTHER_CPU_SHARE * 10
    assert noise(sample(0, {}), sample(10, {5: process(own=allowed - 0.01)}, total=3000)) is None
    assert noise(sample(0, {}), sample(10, {5: process(own=allowed + 0.01)}, total=3000))


def test_a_single_tick_voids_no_short_load():
    tick = {5: process(own=0.01)}
    assert noise(sample(0, {5: process()}), sample(0.1, tick, total=20)) is None
    assert noise(sample(0, {}, total=0), sample(0.1, {}, total=20, steal=1)) is None
    assert noise(sample(0, {5: process()}), sample(0.1, {5: process(own=0.05)}, total=20))


def test_our_own_family_and_the_kernels_threads_are_not_others(monkeypatch):
    table = {
        1: process("init", parent=0),
        2: process("kthreadd", parent=0, kernel_thread=True),
        40: process("snakemake", parent=1),
        50: process("unshare", parent=40),
        51: process("first inside", parent=50),
        52: process("worker", parent=51),
        53: process("fio", parent=52),
        54: process("background target", parent=51),
        60: process("browser", parent=1),
        61: process("kworker/0:1", parent=2, kernel_thread=True),
    }
    monkeypatch.setattr(procfs, "processes", lambda proc: table)
    monkeypatch.setattr(os, "readlink", lambda name, dir_fd: "52")
    assert set(environment._others(-1)) == {1, 40, 50, 60}


@pytest.fixture
def machine(monkeypatch):
    """A machine whose pressure the test decides: shares of time, one for each window that is looked at."""
    clock = [100.0]
    totals = {"cpu": 0.0, "io": 0.0}
    shares: list[dict[str, float]] = []
    dirty = [0]

    def sleep(seconds):
        clock[0] += seconds
        share = shares.pop(0) if len(shares) > 1 else shares[0]
        for kind in totals:
            totals[kind] += share.get(kind, 0.0) * seconds * 1e6

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(procfs, "pressure_us", lambda kind: int(totals[kind]))
    monkeypatch.setattr(procfs, "memory_bytes", lambda: {"Dirty": dirty[0]})
    monkeypatch.setattr(kernel, "sync_filesystem", lambda folder, timeout_s: True)

    def gate(*windows, dirty_bytes=0, limit_s=10.0):
        shares[:] = windows
        dirty[0] = dirty_bytes
        return environment.gate(Path("folder"), clock[0], {"cpu": 0, "io": 0}, limit_s)

    return gate


def test_a_quiet_machine_passes_after_one_window(machine):
    passed = machine({})
    assert passed.passed
    assert passed.waited_s == pytest.approx(environment.GATE_WINDOW_S)


def test_a_busy_machine_is_waited_for(machine):
    passed = machine({"cpu": 0.9}, {"io": 0.9}, {"cpu": 0.01})
    assert passed.passed
    assert passed.waited_s == pytest.approx(3 * environment.GATE_WINDOW_S)
    assert passed.cpu_share == pytest.approx(0.01, abs=1e-5)


@pytest.mark.parametrize("windows", [({"cpu": 0.9},), ({"io": 0.9},)])
def test_an_ever_busy_machine_is_given_up_on(machine, windows):
    passed = machine(*windows)
    assert not passed.passed
    assert 10 <= passed.waited_s <= 11


def test_dirty_pages_are_waited_for(machine):
    assert not machine({}, dirty_bytes=environment.GATE_DIRTY_BYTES + 1, limit_s=1.0).passed


def test_a_kernel_without_pressure_figures_passes(machine, monkeypatch):
    monkeypatch.setattr(procfs, "pressure_us", lambda kind: None)
    passed = machine({})
    assert passed.passed
    assert passed.cpu_share is None


def test_real_figures_of_this_machine(tmp_path):
    proc = procfs.open_proc()
    try:
        before = environment.sample(proc)
        sum(range(10**6))
        after = environment.sample(proc)
    finally:
        os.close(proc)
    found = environment.environment(before, after, tmp_path, None)
    assert found.disk_free_bytes
    assert found.state_fstype
    assert found.kernel.startswith("Linux ")
    assert found.dirty_before_bytes is not None
    assert found.other_user_cpu_share is not None
    assert found.other_user_cpu_share >= 0
    assert found.gate == {}
    assert found.cpu_model is None or f": {found.cpu_model}\n" in Path("/proc/cpuinfo").read_text()
    assert found.cpus == Path("/proc/cpuinfo").read_text().count("processor\t:")
    assert found.memory_bytes
    assert found.memory_bytes > 1 << 20


def test_unavailable_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(procfs, "pressure_us", lambda kind: None)
    proc = procfs.open_proc()
    try:
        before = after = replace(environment.sample(proc), psi_us={"cpu": None, "io": None, "memory": None})
    finally:
        os.close(proc)
    found = environment.environment(before, after, tmp_path, None)
    assert (found.psi_cpu_us, found.psi_io_us, found.steal_share) == (None, None, None)


def test_the_cpu_clock_of_another_process():
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        while procfs.cpu_clock_s(child.pid) < 0.05:
            time.sleep(0.01)
        table = procfs.processes(proc := procfs.open_proc())
        os.close(proc)
        assert table[child.pid].own_s == pytest.approx(procfs.cpu_clock_s(child.pid), abs=0.1)
        assert child.pid in procfs.family(os.getpid())
    finally:
        child.kill()
        child.wait()
    with pytest.raises(OSError, match=r"Invalid argument|No such process"):
        procfs.cpu_clock_s(child.pid)


def test_a_name_may_hold_anything():
    stat = "12 (a) b (c)) S 3 12 12 0 -1 2097216 0 0 0 0 150 50 20 5 20 0 1 0 100 0 0"
    found = procfs._process(stat)
    assert (found.name, found.parent, found.kernel_thread) == ("a) b (c)", 3, True)
    assert found.own_s == pytest.approx(2.0)
    assert found.children_s == pytest.approx(0.25)
