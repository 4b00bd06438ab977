"""Profilers look at the load and at nothing else."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fuselab import profilers
from fuselab.errors import CannotLookError, RigError, TargetError
from fuselab.records.request import Load, MountConfig, RunRequest
from fuselab.rig.family import Family
from fuselab.rig.load import Doing, do_load, prepare
from fuselab.rig.recorder import Recorder as RunRecorder
from fuselab.rig.session import Place, Session
from fuselab.rig.state import State
from fuselab.system import procfs
from fuselab.targets.model import ONLY, ProfilerSupport, Stopping
from fuselab.workloads import REGISTRY
from fuselab.workloads.base import LoadContext, LoadResult


@dataclass
class Recorder:
    """A profiler that writes down what is done with it."""

    name: str
    events: list[str]
    contexts: list[object] = field(default_factory=list)
    on_close: Exception | None = None
    kernel_event: None = None

    @contextmanager
    def attach(self, context):
        self.contexts.append(context)
        self.events.append(f"attach {self.name}")
        yield self
        self.events.append(f"detach {self.name}")

    def open(self):
        self.events.append(f"open {self.name}")

    def cpu_s(self):
        return None

    def close(self):
        self.events.append(f"close {self.name}")
        if self.on_close:
            raise self.on_close


@pytest.fixture
def events():
    return []


@pytest.fixture
def recorders(monkeypatch, events):
    found = {name: Recorder(name, events) for name in ("one", "two")}
    monkeypatch.setattr(profilers, "REGISTRY", found)
    return found


@pytest.fixture
def session(tmp_path, recorders):
    """A load without a target, under two profilers."""
    mount = MountConfig(
        variant="v", target="t", build=None, binary="bin", argv=(), env=(), files=(), prepare=(), ready_timeout_s=1,
        stop=Stopping(), backend="none", persists=True,
        profilers=(ProfilerSupport("one", env=(("A", "b"),)), ProfilerSupport("two")),
    )  # fmt: skip
    request = RunRequest(
        "capture", "e", mount, Load("fio", "w", {}), str(tmp_path), str(tmp_path), str(tmp_path)
    )
    proc = procfs.open_proc()
    place = Place(RunRecorder(request), State(tmp_path), tmp_path, {}, {}, proc, Family(None))
    context = LoadContext(tmp_path, (tmp_path,), tmp_path, tmp_path, tmp_path, Path())
    yield Session(place, (), context)
    os.close(proc)


def begun(result: LoadResult) -> Doing:
    """A load that does its work at once."""

    def load(context: LoadContext) -> LoadResult:
        context.begin()
        return result

    return load


def test_nobody_looks_at_a_load_that_fails_before_its_work(session, events):
    with pytest.raises(TargetError, match="no room"):
        do_load(session, lambda context: LoadResult(1, "no room for its files"))
    assert events == ["attach one", "attach two", "detach two", "detach one"]
    assert session.place.recorder.load_window_s is None


def test_laying_out_takes_no_turn_and_is_not_looked_at(session, monkeypatch):
    """Whoever joined a frozen group for that would wait for its turn before anything is mounted for good."""
    kind, seen = REGISTRY["fio"], []

    def lay_out(load, context):
        seen.append(context)
        return LoadResult(0)

    monkeypatch.setattr(kind, "lays_out", lambda settings: True)
    monkeypatch.setattr(kind, "lay_out", lay_out)
    at = replace(session, context=replace(session.context, looked_at=object(), turns=object()))
    prepare(at.place, at)
    (context,) = seen
    assert (context.looked_at, context.turns) == (None, None)


def test_a_load_that_never_did_anything_is_no_result(session):
    with pytest.raises(TargetError, match="before it had begun to do anything"):
        do_load(session, lambda context: LoadResult(0))


def test_windows_open_right_before_the_load_and_close_right_after(session, events, recorders):
    def load(context):
        events.append("layout")
        context.begin()
        events.append("load")
        return LoadResult(0)

    do_load(session, load)
    assert events == [
        "attach one", "attach two", "layout", "open one", "open two", "load",
        "close two", "close one", "detach two", "detach one",
    ]  # fmt: skip
    recorder = session.place.recorder
    assert recorder.load_window_s[0] <= recorder.load_window_s[1]
    assert recorder.environment is not None
    assert recorder.seconds.keys() == {"prepare", "load"}
    (context,) = recorders["one"].contexts
    assert context.support.env == (("A", "b"),)
    assert context.folder == session.place.out
    assert context.binary == session.place.out / "bin"
    assert context.pids == (os.getpid(),), "no target: the load is our child"


def test_a_failed_load_is_the_variants_fault_and_the_profilers_are_still_closed(session, events):
    with pytest.raises(TargetError, match="no such thing"):
        do_load(session, begun(LoadResult(2, "no such thing")))
    assert events[-2:] == ["detach two", "detach one"]
    assert session.place.recorder.exit_codes == {"load": 2}


def test_a_profiler_that_fails_by_itself_is_the_machines_fault(session, recorders):
    recorders["two"].on_close = RigError("perf did not answer")
    with pytest.raises(RigError, match="perf did not answer"):
        do_load(session, begun(LoadResult(0)))


def test_a_profiler_that_lost_its_target_does_not_hide_who_died(session, recorders):
    class Dead:
        running = False
        exit_code = -9
        pidfd = os.eventfd(1)  # readable, as a pidfd is once its process has ended

        def wait(self, timeout_s):
            return True

        def described(self):
            return "store (killed by SIGKILL)"

    recorders["two"].on_close = RigError("perf did not answer")
    place = session.place
    object.__setattr__(place, "serving", {ONLY: (Dead(),)})
    with pytest.raises(TargetError, match="died during the load: store"):
        do_load(session, begun(LoadResult(0)))


def test_where_nobody_can_look_each_has_its_own_reason(session, recorders, monkeypatch):
    def blind(name: str) -> Any:
        @contextmanager
        def attach(context):
            raise CannotLookError(f"{name} sees nothing", "switch the light on")
            yield

        return attach

    for name, recorder in recorders.items():
        monkeypatch.setattr(recorder, "attach", blind(name))
    with pytest.raises(CannotLookError):
        do_load(session, begun(LoadResult(0)))
    assert session.place.recorder.cannot_look == {
        name: f"{name} sees nothing\nswitch the light on" for name in ("one", "two")
    }
