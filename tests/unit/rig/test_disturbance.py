"""What came from outside is told apart: clocks, a suspended machine, stopped processes, a rig that was not let run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from fuselab.rig.disturbance import STEP_S, Clocks, Disturbance
from fuselab.system.procfs import ProcessTimes, own_processes

START = Clocks(100.0, 100.0, 1000.0)


def after(passed: float, slept: float = 0.0, stepped: float = 0.0) -> Clocks:
    return Clocks(
        START.monotonic_s + passed,
        START.boottime_s + passed + slept,
        START.realtime_s + passed + slept + stepped,
    )


def said(clocks: Clocks, *states: str) -> str | None:
    disturbance = Disturbance(START)
    table = {n: ProcessTimes(f"p{n}", 1, 0, 0, False, state) for n, state in enumerate(states, 1)}
    disturbance.look(table, [], clocks)
    return disturbance.words


def test_a_run_that_was_left_alone_has_nothing_to_say():
    assert said(after(STEP_S), "S", "R", "D", "Z") is None
    assert said(after(STEP_S + 0.2)) is None, "a busy machine delays a look"


@pytest.mark.parametrize(
    ("clocks", "words"),
    [
        (after(STEP_S + 3.0), "nothing of the rig ran for 3.0 s"),
        (after(STEP_S, slept=60.0), "the machine was suspended for 60.0 s"),
        (after(STEP_S, stepped=-5.0), "the machine's clock was set by -5.0 s"),
        (after(STEP_S, stepped=0.0005), None),
    ],
)
def test_each_clock_tells_of_something_else(clocks, words):
    assert said(clocks) == words


def test_who_is_stopped_now_is_named_once():
    assert said(after(STEP_S), "S", "T", "t") == "p2 (pid 2 of the run) was stopped from outside"


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def test_a_child_that_was_stopped_between_two_looks_is_named(child):
    disturbance = Disturbance()
    disturbance.look(own_processes(), [child])
    assert disturbance.words is None
    os.kill(child, signal.SIGSTOP)
    while own_processes()[child].state != "T":
        time.sleep(0.001)
    os.kill(child, signal.SIGCONT)
    while own_processes()[child].state == "T":
        time.sleep(0.001)
    disturbance.look(own_processes(), [child])
    assert disturbance.words == f"sleep (pid {child} of the run) was stopped from outside"
