"""What fuse-requests takes of 4 KiB random writes, whether it loses any, and what a million take to process.

    .venv/bin/python tests/bench/requests.py [--rounds 3] [--pairs 40] [--runtime 2] [--binary DEMOFS]

demofs under one fio job that goes on, while the events that fuse-requests records are switched on and off: pairs of
slices of 0.25 s one after the other, whose order alternates. What is compared is operations for each CPU second of
demofs, fio and the thread that empties the kernel's buffers, by the median of the pairs' ratios: a machine that others
use gives each slice another share of its time. Operations for each second of the clock stand beside it. `one at a time`
waits for each write; `as many as go` keeps 64 on their way from two jobs: the highest rate that demofs reaches. Losses
are looked for in whole captures of the latter.
The million is the last capture, its requests repeated at later times under other numbers. Its seconds are of CPU, on
one core: others on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bulk_binary import plain_demofs  # type: ignore[import-not-found]
from promises import promise  # type: ignore[import-not-found]

from fuselab.analysis import ftrace
from fuselab.analysis.ftrace import read_trace
from fuselab.analysis.perf.tracepoints import described
from fuselab.files import closing
from fuselab.profilers import REGISTRY, fuse_requests
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.profilers.trace_session import TraceWindow, traced
from fuselab.records.request import Load as RequestedLoad
from fuselab.records.request import MountConfig, RunRequest
from fuselab.rig.run import execute
from fuselab.system import tracefs
from fuselab.system.kernel import connection
from fuselab.system.procfs import OwnTasks
from fuselab.system.tracefs import SEND
from fuselab.system.tracing import Instance, new_instance
from fuselab.targets.model import ProfilerSupport, Stopping
from fuselab.workloads import REGISTRY as LOADS

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "fuse-requests"
LOADS_OF = {
    "one at a time": {"ioengine": "psync"},
    "as many as go": {"ioengine": "libaio", "iodepth": "32", "numjobs": "2", "group_reporting": "1"},
}
MILLION = 1_000_000
LEAST_KEPT, LONGEST_S, MOST_MB = 0.95, 5.0, 500.0
SLICE_S, SETTLE_S = 0.25, 0.03
FIRST = "-19"
"""The nice value of a session whose processes have a processor whenever they want one."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=40, help="of slices")
    parser.add_argument("--runtime", type=float, default=2.0, help="of each captured load, in seconds")
    parser.add_argument("--binary", type=Path, help="a demofs that is built already")
    parser.add_argument("--process", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        return process(options.process)
    binary = options.binary or plain_demofs(CHECKOUT)
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-", dir=os.environ.get("TMPDIR")) as scratch:
        for backend in ("memory", "sqlite"):
            for name, extra in LOADS_OF.items():
                with under_load(Path(scratch), binary, backend, extra) as at:
                    compare(f"{name}, metadata in {backend}", at, options.pairs)
        captured = capture(Bench(Path(scratch), binary, options.runtime), options.rounds)
        million(captured)


@dataclass(frozen=True)
class Load:
    """demofs and the fio that writes to it, by process."""

    mountpoint: Path
    demofs: int
    fio: int

    def cpu_s(self) -> float:
        """Of all their threads."""
        tasks = [task for pid in (self.demofs, self.fio) for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def written_bytes(self) -> int:
        """By demofs: of each write as much."""
        io = dict(line.split(": ") for line in Path(f"/proc/{self.demofs}/io").read_text().splitlines())
        return int(io["wchar"])


@contextmanager
def under_load(scratch: Path, binary: Path, backend: str, extra: dict[str, str]) -> Iterator[Load]:
    """The load goes on until it is left."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder, ExitStack() as stack:
        mountpoint = Path(folder) / "mountpoint"
        mountpoint.mkdir()
        argv: list[str | Path] = [
            binary,
            "mount",
            mountpoint,
            "--state",
            f"{folder}/state",
            "--meta-backend",
            backend,
        ]
        demofs = stack.enter_context(_until_stopped(argv))
        until = time.monotonic() + 20
        while not mountpoint.is_mount():
            if time.monotonic() > until:
                sys.exit("demofs does not mount")
            time.sleep(0.05)
        job = {"name": "job", "directory": str(mountpoint), "rw": "randwrite", "bs": "4k", "size": "16m"}
        job |= {"direct": "1", "time_based": "1", "runtime": "600", "output": "/dev/null", **extra}
        fio = stack.enter_context(
            _until_stopped(["fio", *(f"--{name}={value}" for name, value in job.items()), "--thread"])
        )
        time.sleep(2.0)  # it lays its files out first
        yield Load(mountpoint, demofs, fio)


@contextmanager
def _until_stopped(argv: Sequence[str | Path]) -> Iterator[int]:
    env = {**os.environ, "RUST_LOG": "warn"}
    with subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            with suppress(OSError):  # a kernel that shares its time by process alone
                Path(f"/proc/{process.pid}/autogroup").write_text(FIRST)
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)


def compare(name: str, load: Load, pairs: int) -> None:
    """Print what is kept of the load while its requests are recorded."""
    events = fuse_requests.events([connection(load.mountpoint.stat().st_dev)])
    tracefs.mount()
    with ExitStack() as stack:
        instance = stack.enter_context(new_instance())
        for event, condition in events.items():
            instance.enable(event, condition)
        proc = stack.enter_context(closing(os.open("/proc", os.O_RDONLY)))
        pages = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "pages"
        window = TraceWindow(instance, OwnTasks(proc), pages)
        stack.callback(window.end)
        window.open()
        done = []
        for number in range(pairs):
            order = (False, True) if number % 2 else (True, False)
            pair = {looking: _slice(instance, list(events), window, load, looking) for looking in order}
            done.append((pair[True], pair[False]))
    by_clock, by_cpu = (
        [getattr(on, each) / getattr(off, each) for on, off in done] for each in ("each_s", "each_cpu_s")
    )
    low, middle, high = statistics.quantiles(by_cpu, n=4)
    print(f"{name}: the middle half of {pairs} pairs of slices keeps {low:.2f} to {high:.2f}")
    print(f"{name}: by the clock {statistics.median(by_clock):.2f}")
    promise(f"{name}: throughput kept", middle, LEAST_KEPT, "times", at_least=True)


@dataclass(frozen=True)
class Slice:
    """Bytes written, by the clock and by the processors that it took."""

    each_s: float
    each_cpu_s: float


def _slice(
    instance: Instance, events: Sequence[str], window: TraceWindow, load: Load, looking: bool
) -> Slice:
    for event in events:
        instance.switch(event, looking)
    time.sleep(SETTLE_S)
    began, written, used_s, observed_s = (
        time.monotonic(), load.written_bytes(), load.cpu_s(), window.cpu_s() or 0.0
    )  # fmt: skip
    time.sleep(SLICE_S)
    lasted_s, written = time.monotonic() - began, load.written_bytes() - written
    used_s = load.cpu_s() - used_s + looking * ((window.cpu_s() or 0.0) - observed_s)
    return Slice(written / lasted_s, written / used_s)


class Bench:
    def __init__(self, root: Path, binary: Path, runtime_s: float) -> None:
        self._root, self._binary, self._runtime_s, self._count = root, binary, runtime_s, 0

    def run(self, extra: dict[str, str]) -> tuple[float, Path]:
        """IOPS while fuse-requests looks, and the run's folder."""
        self._count += 1
        out = self._root / f"run-{self._count}"
        out.mkdir()
        job = {"rw": "randwrite", "bs": "4k", "size": "16m", "direct": "1", "time_based": "1", **extra}
        job["runtime"] = f"{1000 * self._runtime_s:.0f}ms"
        argv = (
            str(self._binary),
            "mount",
            "{mountpoint}",
            "--state",
            "{state}/s",
            "--meta-backend",
            "memory",
        )
        mount = MountConfig(
            variant="bench", target="demofs", build=None, binary=str(self._binary), argv=argv,
            env=(("RUST_LOG", "warn"),), files=(), prepare=(), ready_timeout_s=20.0, stop=Stopping(), backend="memory",
            persists=False, profilers=(ProfilerSupport(NAME),),
        )  # fmt: skip
        request = RunRequest(
            purpose="capture", experiment="bench", mount=mount, out=str(out), state_root=str(self._root / "state"),
            load=RequestedLoad("fio", "bench", {"jobs": {"job": job}, "global": {}}, randseed=self._count),
            repository=str(CHECKOUT), gate_limit_s=0.0,
        )  # fmt: skip
        record = execute(request)
        if record.status == "failed":
            sys.exit(f"the run failed: {record.reason}")
        return next(m.value for m in LOADS["fio"].metrics(out) if m.name == "write.iops"), out


def capture(bench: Bench, rounds: int) -> Path:
    """Print what was lost at the highest rate; the last capture."""
    rates, lost, requests = [], 0, 0
    for _ in range(rounds):
        rate, captured = bench.run(LOADS_OF["as many as go"])
        rates.append(rate)
        pages, record = traced(CaptureFolder(captured, 1, Path(), 0, 0), NAME)
        lost += record.lost
        requests += len(read_trace(pages, record.formats).samples[SEND])
    print(f"captures: {statistics.median(rates):,.0f} IOPS (median), {max(rates):,.0f} at most")
    promise(f"captures: events lost of {requests:,} requests", lost, 0, "")
    return captured


def million(captured: Path) -> None:
    """Process a capture of a million requests in a process of its own."""
    big = captured.with_name("million")
    shutil.copytree(captured, big)
    pages, described_by = traced(CaptureFolder(captured, 1, Path(), 0, 0), NAME)
    count = repeat(pages, described_by.formats, big / pages.name, MILLION)
    record = json.loads((big / "run.json").read_text())
    record["load_window_s"][1] += 1e6
    (big / "run.json").write_text(json.dumps(record))
    said = subprocess.run(
        [sys.executable, __file__, "--process", str(big)], check=True, text=True, stdout=subprocess.PIPE
    ).stdout.split()
    size = (big / pages.name).stat().st_size / 1e6
    print(f"{count:,} requests, {size:.0f} MB")
    promise("processed in (CPU time)", float(said[0]), LONGEST_S, "s")
    promise("and in memory", float(said[1]), MOST_MB, "MB")


def process(folder: Path) -> None:
    """Print seconds and peak memory."""
    did = LOADS["fio"].traffic(folder)
    capture = CaptureFolder(
        folder, 1, Path(), did.operations, did.bytes, moved=did.by_direction, latency_ns=did.latency_ns
    )
    (folder / "processed").mkdir()
    profile = process_captures(REGISTRY[NAME], [capture], folder / "processed")
    assert int(profile.figures["requests"]) >= MILLION, profile
    print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def repeat(source: Path, formats: Sequence[str], out: Path, requests: int) -> int:
    """Write `source` with its pages again and again, later and with other numbers; how many requests it has now."""
    told = read_trace(source, formats)
    times = requests // len(told.samples[SEND]) + 1
    moments = [int(s["time_ns"][edge]) for s in told.samples.values() if len(s) for edge in (0, -1)]
    later_ns, higher = max(moments) - min(moments) + 1_000_000, int(told.samples[SEND]["unique"].max()) + 2
    block = np.frombuffer(source.read_bytes(), np.uint8)
    words, pages, uniques = block.view("<u4"), [], []
    events = [event for text in formats for event in described(text.encode())]
    for begin, end in ftrace._pieces(block.data, len(block)):
        at = ftrace._events(words, begin, end).at
        pages.append(begin)
        for event in events:
            if "unique" in event.fields:
                uniques.append(4 * at[words[at] & 0xFFFF == event.number] + event.fields["unique"][1])
    with out.open("wb") as stream:
        for number in range(times):
            copy = block.copy()
            _add(copy, np.concatenate(pages), number * later_ns)
            _add(copy, np.concatenate(uniques), number * higher)
            stream.write(copy.tobytes())
    return times * len(told.samples[SEND])


def _add(block: np.ndarray, places: np.ndarray, what: int) -> None:
    at = places[:, None] + np.arange(8)
    values = block[at].copy().view("<u8")[:, 0] + np.uint64(what)
    block[at] = values[:, None].view(np.uint8)


if __name__ == "__main__":
    main()
