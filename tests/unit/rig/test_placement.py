"""Where slices begin: on one CPU, alike for a round, and everybody is free again afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fuselab.rig.placement import pinned, placements
from fuselab.system import procfs

ALL = os.sched_getaffinity(0)
FIRST, LAST = min(ALL), max(ALL)
needs_two = pytest.mark.skipif(FIRST == LAST, reason="one CPU is all there is")

THREADS = """
import os, sys, threading
held = threading.Event()
threading.Thread(target=held.wait, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    if line == "thread\\n":
        threading.Thread(target=held.wait, daemon=True).start()
    elif os.fork() == 0:
        held.wait()
    print("done", flush=True)
"""


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    """One that has two threads, and makes another for each line that it reads."""
    argv = [sys.executable, "-c", THREADS]
    with subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        for pid in family(process):
            os.kill(pid, signal.SIGKILL)


def one_more(process: subprocess.Popen[str], what: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def family(process: subprocess.Popen[str]) -> list[int]:
    return sorted(procfs.family(process.pid))


def allowed(process: subprocess.Popen[str]) -> list[set[int]]:
    return [os.sched_getaffinity(thread) for pid in family(process) for thread in procfs.threads(pid)]


@needs_two
def test_all_threads_are_put_there_and_freed_and_those_that_begin_meanwhile(program):
    with pinned([(FIRST, lambda: family(program))]):
        one_more(program, "thread")
        one_more(program, "process")
        assert allowed(program) == [{FIRST}] * 4
    assert allowed(program) == [ALL] * 4


@needs_two
@pytest.mark.parametrize("chosen", [FIRST, LAST])
def test_who_chose_its_cpus_itself_keeps_them(program, chosen):
    own = procfs.threads(program.pid)[1]
    os.sched_setaffinity(own, {chosen})
    with pinned([(FIRST, lambda: family(program))]):
        assert allowed(program) == [{FIRST}, {chosen}]
    assert allowed(program) == [ALL, {chosen}]


@needs_two
def test_they_are_freed_whatever_happens_meanwhile(program):
    with pytest.raises(KeyboardInterrupt), pinned([(FIRST, lambda: family(program))]):
        raise KeyboardInterrupt
    assert allowed(program) == [ALL] * 2


def test_who_is_gone_is_no_fault(program):
    with pinned([(FIRST, lambda: family(program))]):
        program.kill()
        program.wait()


def test_both_begin_on_one_cpu_and_over_the_rounds_on_all():
    found = placements(100, range(4), range(4), seed=7)
    assert all(place.load == place.target for place in found)
    assert {place.load for place in found} == set(range(4))
    assert found == placements(100, range(4), range(4), seed=7)
    assert found != placements(100, range(4), range(4), seed=8)


@pytest.mark.parametrize(
    ("load", "target", "there"),
    [([0], [1], {(0, 1)}), ([0, 1], [1], {(1, 1)}), ([0], [1, 2], {(0, 1), (0, 2)})],
)
def test_nobody_is_put_where_the_experiment_does_not_want_it(load, target, there):
    assert {(place.load, place.target) for place in placements(40, load, target, seed=1)} == there
