"""Counters are asked for of a file, a command and an address, and what does not answer is a reason, not a fault."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fuselab.rig import counters
from fuselab.rig.counters import Answer, between, read
from fuselab.targets.model import ONLY, CounterSource, CounterSources


class Metrics(BaseHTTPRequestHandler):
    """`/metrics` counts how often it was asked for; `/moved` points elsewhere; `/slow` never ends its answer."""

    asked = 0

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/metrics")
            self.end_headers()
        elif self.path == "/metrics":
            Metrics.asked += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"# TYPE asked counter\nasked {Metrics.asked}\n".encode())
        else:
            self.send_response(200)
            self.end_headers()
            while not self.server.ended.wait(0.05):  # type: ignore[attr-defined]
                self.wfile.write(b"#\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    server.ended = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.ended.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def session(tmp_path: Path, asked: CounterSources, port: int = 1, mounted: bool = True) -> Any:
    """As much of a session as a reading needs to know."""
    folders = {name: tmp_path / name for name in ("data", "service", "scratch", "mount")}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    place = SimpleNamespace(
        request=SimpleNamespace(counters=asked, mount=SimpleNamespace(profiler_env=frozenset())),
        values={"state": str(folders["data"]), "port": str(port)},
        state=SimpleNamespace(service=lambda role: folders["service"], scratch=folders["scratch"]),
        binary=Path("/bin/echo"),
        filled_env=lambda: {"PATH": "/usr/bin:/bin", "DEEP": "1"},
        recorder=SimpleNamespace(say=print, hidden=SimpleNamespace(text=lambda text: text)),
    )
    return SimpleNamespace(
        place=place,
        targets=("mounted",) if mounted else (),
        context=SimpleNamespace(directory=folders["mount"]),
    )


def answer(tmp_path: Path, port: int = 1, **source: Any) -> Answer:
    form = source.pop("format", "lines")
    at = session(tmp_path, CounterSources(target=(CounterSource(form, **source),)), port)
    return read(at).target[0]


def test_an_address_is_read_before_and_after(tmp_path: Path, port: int) -> None:
    source = CounterSource("prometheus", http="http://127.0.0.1:{port}/metrics")
    at = session(tmp_path, CounterSources(services=((ONLY, (source,)),)), port)
    before, after = read(at), read(at)
    assert between(before.services[ONLY], after.services[ONLY]).counts == {"asked": 1}
    assert between(before.target, after.target).counts == {}


def test_files_of_mount_and_state_and_what_a_command_prints(tmp_path: Path) -> None:
    asked = CounterSources(
        target=(
            CounterSource("lines", file="{mountpoint}/.stats"),
            CounterSource("json", file="{state}/stats.json"),
            CounterSource("lines", argv=("{binary}", "said 5")),
        ),
        services=((ONLY, (CounterSource("lines", file="{state}/stats"),)),),
    )
    at = session(tmp_path, asked)
    (tmp_path / "mount/.stats").write_text("reads 1\n")
    (tmp_path / "data/stats.json").write_text('{"writes": 2}')
    (tmp_path / "service/stats").write_text("puts 3\n")
    readings = read(at)
    assert [dict(each.counters) for each in readings.target] == [{"reads": 1}, {"writes": 2}, {"said": 5}]
    assert dict(readings.services[ONLY][0].counters) == {"puts": 3}


def test_without_a_mount_there_is_no_target_to_ask(tmp_path: Path) -> None:
    at = session(tmp_path, CounterSources(target=(CounterSource("lines", file="{state}/s"),)), mounted=False)
    assert read(at).target == ()


def test_a_place_that_does_not_answer_is_a_reason(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        nobody = s.getsockname()[1]
    monkeypatch.setattr(counters, "LIMIT_S", 0.3)
    monkeypatch.setattr(counters, "MOST_BYTES", 1000)
    (tmp_path / "empty").touch()
    expected: dict[str, dict[str, Any]] = {
        "Connection refused": {"http": f"http://127.0.0.1:{nobody}/"},
        "it answered 302": {"http": "http://127.0.0.1:{port}/moved"},
        "did not end its answer within 0.3 s": {"http": "http://127.0.0.1:{port}/slow"},
        "No such file": {"file": "{state}/nothing"},
        "`nosuchctl` is not installed": {"argv": ("nosuchctl",)},
        "`sh` ended with 3: no such table": {"argv": ("sh", "-c", "echo no such table >&2; exit 3")},
        "`sh` did not end within 0.3 s": {"argv": ("sh", "-c", "sleep 60 & echo a 1")},
        "more than 0 MiB": {"argv": ("yes", "a 1")},
        "is no JSON": {"argv": ("echo", "{"), "format": "json"},
    }
    reasons = {words: answer(tmp_path, port, **source).reason for words, source in expected.items()}
    assert not [(words, said) for words, said in reasons.items() if words not in said]


def test_what_is_unavailable_at_one_end_is_not_counted(tmp_path: Path) -> None:
    asked = CounterSources(
        target=(
            CounterSource("lines", file="{state}/stats"),
            CounterSource("lines", argv=("echo", "other 1")),
        )
    )
    at = session(tmp_path, asked)
    (tmp_path / "data/stats").write_text("reads 1\n")
    before = read(at)
    (tmp_path / "data/stats").unlink()
    tally = between(before.target, read(at).target)
    assert tally.counts == {"other": 0}
    assert tally.unavailable.startswith("{state}/stats: ")
    assert "No such file" in tally.unavailable


def test_who_speaks_of_no_counter_at_either_end_is_not_understood(tmp_path: Path) -> None:
    at = session(tmp_path, CounterSources(target=(CounterSource("lines", file="{state}/stats"),)))
    (tmp_path / "data/stats").write_text("nothing yet\n")
    before = read(at)
    assert "no counter was found" in between(before.target, read(at).target).unavailable
    (tmp_path / "data/stats").write_text("reads 3\n")
    assert between(before.target, read(at).target).counts == {"reads": 3}


def test_one_name_in_two_places_is_said_and_not_added_up(tmp_path: Path) -> None:
    asked = CounterSources(target=(CounterSource("lines", argv=("echo", "reads 1")),) * 2)
    at = session(tmp_path, asked)
    tally = between(read(at).target, read(at).target)
    assert tally.counts == {"reads": 0}
    assert "`reads` is counted in another place too" in tally.unavailable
