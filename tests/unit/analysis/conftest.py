"""Programs with planted costs, compiled from tests/golden/make, and a perf that looks at them."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.profilers import perf_record
from fuselab.profilers.perf_record import Watched


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory, golden: Path) -> Path:
    """A folder with `inlined` and `instant` (Rust), `waits`, `copies`, `keeper`, `clock`, `jit` and `plugins` (C)."""
    folder = tmp_path_factory.mktemp("programs")
    rustc = ["rustc", "--edition", "2024", "-O", "-C", "debuginfo=1", "-C", "force-frame-pointers=yes"]
    gcc = ["gcc", "-O2", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
    make = golden / "make"
    for argv in (
        [*rustc, str(make / "inlined.rs"), "-o", str(folder / "inlined")],
        [*gcc, str(make / "waits.c"), "-o", str(folder / "waits"), "-lpthread"],
        [*gcc, str(make / "copies.c"), "-o", str(folder / "copies")],
        [*gcc, str(make / "keeper.c"), "-o", str(folder / "keeper")],
        [*rustc, str(make / "instant.rs"), "-o", str(folder / "instant")],
        [*gcc, str(make / "clock.c"), "-o", str(folder / "clock")],
        [*gcc, str(make / "jit.c"), "-o", str(folder / "jit")],
        [*gcc, str(make / "plugins.c"), "-o", str(folder / "plugins"), "-ldl"],
    ):
        subprocess.run(argv, check=True, capture_output=True)
    return folder


@pytest.fixture
def symbols(tmp_path: Path) -> Symbols:
    """Symbols with a cache of its own."""
    return Symbols(cache_folder=tmp_path / "symbols")


class Recorder:
    """perf attached to a program that waits for a line and then works; like the rig, but small."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.window_ns = (0, 0)
        self.said = ""

    def record(self, make_argv: Callable[..., list[str]], program: Sequence[str]) -> Path:
        """Sample the program from `go` to `done`; the window is left in `window_ns`, its last words in `said`."""
        data = self.folder / "perf.data"
        with (
            _program(program) as target,
            _control(self.folder) as (command, options),
            subprocess.Popen(
                [*make_argv("perf", Watched((target.pid,)), data), *options],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as recorder,
        ):
            assert target.stdin
            assert target.stdout
            assert recorder.stderr
            command("ping")
            start_ns = command("enable")
            target.stdin.write("go\n")
            target.stdin.flush()
            self.said = target.stdout.readline()
            assert self.said.startswith("done")
            time.sleep(0.05)  # the program now waits for its standard input
            self.window_ns = (start_ns, command("disable"))
            recorder.send_signal(2)
            recorder.stderr.read()
        return data


@contextmanager
def _program(argv: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
        assert target.stdout
        assert target.stdout.readline() == "ready\n"
        yield target
        target.communicate()


@contextmanager
def _control(folder: Path) -> Iterator[tuple[Callable[[str], int], list[str]]]:
    """Send a word and return the time of perf's answer on CLOCK_MONOTONIC; and perf's options for it."""
    fifos = [folder / "control", folder / "answer"]
    for fifo in fifos:
        os.mkfifo(fifo)
    control, answer = (os.open(fifo, os.O_RDWR | os.O_NONBLOCK) for fifo in fifos)

    def command(word: str) -> int:
        os.write(control, f"{word}\n".encode())
        assert select.select([answer], [], [], 20.0)[0], f"perf does not answer {word}"
        os.read(answer, 64)
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    try:
        yield command, ["--delay", "-1", "--control", f"fifo:{fifos[0]},{fifos[1]}"]
    finally:
        os.close(control)
        os.close(answer)
        for fifo in fifos:
            fifo.unlink()


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture(scope="session")
def slept(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, int], int]:
    """`waits 50`, twice 50 x 10 ms asleep: perf.data, the measured window, and the ns slept by its own clock."""
    slow = Recorder(tmp_path_factory.mktemp("slept"))
    data = slow.record(perf_record.offcpu_record_argv, [str(programs / "waits"), "50"])
    return data, slow.window_ns, int(slow.said.split()[1])


@pytest.fixture(scope="session")
def oncpu_data(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of `inlined`."""
    return Recorder(tmp_path_factory.mktemp("oncpu")).record(
        perf_record.oncpu_record_argv, [str(programs / "inlined"), "1"]
    )
