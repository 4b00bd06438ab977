"""Where tasks were spawned: from a real console's state, and from a server that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import grpc
import pytest

from fuselab.analysis.tokio.state import State, read_state, short_place
from fuselab.analysis.tokio.tasks import read_tasks
from fuselab.profilers import console_live
from fuselab.profilers.base import CaptureContext
from fuselab.profilers.console_live import REASON, STATE, asked_at_the_end
from fuselab.targets.model import ProfilerSupport


@pytest.fixture(scope="module")
def state(golden: Path) -> State:
    return read_state(golden / "console/state.pb")


def test_every_task_of_a_real_recording_finds_where_it_was_spawned(golden: Path, state: State) -> None:
    tasks = read_tasks(golden / "console/state-spawns.ndjson", state).tasks
    planted = [task for task in tasks if task.name == "planted_task"]
    assert len(planted) == 3
    assert {task.location for task in planted} == {"src/inject/faults.rs:120"}
    assert {task.label for task in planted} == {"planted_task"}
    nameless = [task.label for task in tasks if task.kind == "task" and not task.name]
    assert nameless
    assert all(label.startswith("task at fuse3-0.10.0/src/raw/session.rs:") for label in nameless)
    assert len([task for task in tasks if task.location]) >= len(tasks) - 1, "what ended the run came later"


def test_a_forgotten_task_is_found_by_its_sort_where_that_has_one_place() -> None:
    sort = ("task", "", "", "", 464)
    state = State(by_id={7: "a.rs:1"}, by_sort={sort: "b.rs:2"}, dropped_events=0)
    fields = {"kind": "task", "task.name": "", "size.bytes": 464}
    assert state.location_of({**fields, "task.id": 7}) == "a.rs:1"
    assert state.location_of({**fields, "task.id": 8}) == "b.rs:2"
    assert state.location_of({**fields, "task.id": 8, "size.bytes": 465}) == ""


def test_a_full_buffer_is_told() -> None:
    assert State({}, {}, dropped_events=0).remarks() == ()
    (said,) = State({}, {}, dropped_events=12).remarks()
    assert "12 events" in said
    assert "TOKIO_CONSOLE_BUFFER_CAPACITY" in said


def test_what_is_no_state_is_told(tmp_path: Path) -> None:
    (tmp_path / "s.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="no update of a tokio console"):
        read_state(tmp_path / "s.pb")


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("/home/user/.cargo/registry/src/index.crates.io-1949/fuse3-0.10.0/src/a.rs", "fuse3-0.10.0/src/a.rs:3"),
        ("/home/user/.cargo/git/checkouts/fuse3-ab12/ff00/src/a.rs", "ff00/src/a.rs:3"),
        ("/rustc/0123abc/library/std/src/thread.rs", "library/std/src/thread.rs:3"),
        ("src/main.rs", "src/main.rs:3"),
    ],
)  # fmt: skip
def test_a_place_begins_at_its_crate(file: str, shown: str) -> None:
    assert short_place(file, 3) == shown


@contextmanager
def console(messages: list[bytes]) -> Iterator[str]:
    """A server of WatchUpdates that sends these and then keeps the stream open, as a console does; it hangs up at once
    if it has none."""

    def watch(_: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from messages
        if messages:
            gone = Event()
            context.add_callback(gone.set)
            gone.wait(20)

    handler = grpc.method_handlers_generic_handler(
        "rs.tokio.console.instrument.Instrument",
        {"WatchUpdates": grpc.unary_stream_rpc_method_handler(watch)},
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture
def context(tmp_path: Path) -> Callable[[str], CaptureContext]:
    def context(address: str) -> CaptureContext:
        support = ProfilerSupport("tokio-console", env=(("TOKIO_CONSOLE_BIND", address),))
        return CaptureContext(tmp_path, (1,), None, Path("program"), support)

    return context


def test_it_is_asked_after_the_load_for_what_it_knew_and_what_came_since(context, tmp_path: Path) -> None:
    with console([b"\x12\x00", b"\x12\x02\x20\x05", b"\x12\x02\x20\x07"]) as address:
        with asked_at_the_end(context(address)) as window:
            window.open()
            window.close()
            assert not (tmp_path / STATE).exists(), "nobody listens while the load runs"
        assert (tmp_path / STATE).read_bytes() == b"\x12\x00\x12\x02\x20\x05"
    assert read_state(tmp_path / STATE).dropped_events == 5


def test_a_bench_is_gone_at_the_end_and_what_it_said_last_is_kept(
    context, tmp_path: Path, monkeypatch
) -> None:
    answered, ask = Event(), console_live.state

    def state(address: str) -> bytes:
        said = ask(address)
        answered.set()
        return said

    monkeypatch.setattr(console_live, "state", state)
    monkeypatch.setattr(console_live, "_AGAIN_S", 0.01)
    with ExitStack() as stack, console([b"\x12\x00", b"\x12\x02\x20\x05"]) as address:
        stack.enter_context(asked_at_the_end(replace(context(address), outlives_load=False)))
        assert answered.wait(20)
    assert (tmp_path / STATE).read_bytes() == b"\x12\x00\x12\x02\x20\x05"


def test_a_console_that_does_not_answer_costs_the_locations_and_nothing_else(context, tmp_path: Path) -> None:
    with asked_at_the_end(context("127.0.0.1:1")):
        pass
    assert not (tmp_path / STATE).exists()
    assert "127.0.0.1:1 did not answer" in (tmp_path / REASON).read_text()


def test_a_console_that_hangs_up_at_once_is_no_state(context, tmp_path: Path) -> None:
    with console([]) as address, asked_at_the_end(context(address)):
        pass
    assert not (tmp_path / STATE).exists()
    assert "nothing to say" in (tmp_path / REASON).read_text()
