"""A capture of a target with a gigabyte of binary and a log of 30 MB/s, against the same profiler by hand.

    .venv/bin/python tests/bench/capture.py [--rounds 5] [--runtime 5]

demofs is linked with the modules of bench-heap's large binary (built once, 1 GB under the user's cache) and writes
30 MB/s of lines. Three ways take turns under the same fio job: the program without a profiler, the profiler alone (a
shell script, the log thrown away), and fuselab's capture. What is compared is fio's bandwidth: fuselab may not take
more from it than the profiler takes by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bulk_binary import bulky_demofs  # type: ignore[import-not-found]
from promises import promise  # type: ignore[import-not-found]

from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import Plan
from fuselab.experiment.planning import make_plan
from fuselab.profilers.perf_record import Watched, oncpu_record_argv
from fuselab.programs import tool
from fuselab.records.request import RunRequest
from fuselab.rig.run import execute
from fuselab.workloads import REGISTRY

CHECKOUT = Path(__file__).resolve().parents[2]
COPIES = 9
"""Of 110 MB each: a binary of a gigabyte."""
PROFILERS = ("trace-chrome", "perf-oncpu")
EXPERIMENT = """
name: loud
title: a large and talkative target
target: demofs
backend: memory
variants: {{baseline: {{options: {{inject: log=30MB/s}}}}}}
control: true
workloads: {{seq: {{fio: {{rw: write, bs: 128k, size: 64m, runtime: {runtime_ms}ms, ramp_time: 0}}}}}}
blocks: 1
profilers: [trace-chrome, perf-oncpu]
"""
ALONE = """
set -e
folder=$1 binary=$2 job=$3 look=$4
mkdir -p "$folder/mount"
sync -f "$folder" # what the run before has left to write, as fuselab waits for it too
export RUST_LOG=warn # as in target.yaml
[ "$look" != trace-chrome ] || export DEMOFS_TRACE_CHROME="$folder/trace.json" RUST_LOG=warn,demofs=trace
"$binary" mount "$folder/mount" --state "$folder/state" --meta-backend memory --inject log=30MB/s 2>/dev/null &
target=$!
until mountpoint -q "$folder/mount"; do sleep 0.01; done
if [ "$look" = perf-oncpu ]; then shift 4; "$@" -p $target >/dev/null 2>&1 & perf=$!; sleep 1; fi
FUSELAB_DIRECTORY="$folder/mount" FUSELAB_RANDSEED=1 \
    fio --output-format=json --output="$folder/fio.json" --eta=never "$job" >/dev/null
if [ -n "$perf" ]; then kill -INT $perf; wait $perf || true; fi
umount "$folder/mount"
wait $target
rm -r "$folder/state" # gigabytes, which would fill the page cache of the next run
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtime", type=float, default=5.0, help="of each load, in seconds")
    options = parser.parse_args()
    binary = bulky_demofs(COPIES, CHECKOUT)
    print(f"{binary.name}: {binary.stat().st_size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-", dir=os.environ.get("TMPDIR")) as scratch:
        bench = Bench(Path(scratch), binary, options.runtime)
        for profiler in PROFILERS:
            compare(bench, profiler, options.rounds)


class Bench:
    """The three ways to run the load; each returns bytes per second, as fio has it."""

    def __init__(self, root: Path, binary: Path, runtime_s: float) -> None:
        self._root, self._binary = root, binary
        self._plan = _plan(root, runtime_s)
        self._job = root / "load.fio"
        self._job.write_text(self._plan.jobs["seq"])
        self._count = 0

    def alone(self, look: str) -> float:
        """By a shell script: without a profiler (`none`), or with nothing but the profiler."""
        folder = self._folder()
        perf = oncpu_record_argv(tool("perf"), Watched((0,)), folder / "perf.data")
        at = perf.index("-p")
        words = [str(folder), str(self._binary), str(self._job), look, *perf[:at], *perf[at + 2 :]]
        subprocess.run(["unshare", "--mount", "sh", "-c", ALONE, "sh", *words], check=True, cwd=folder)
        return _bandwidth(folder)

    def captured(self, profiler: str) -> float:
        """By fuselab, from the plan of an experiment; the binary is the large one."""
        folder = self._folder()
        config = self._plan.mounts["baseline", profiler]
        binary = str(self._binary)
        argv = tuple(binary if word == config.binary else word for word in config.argv)
        request = RunRequest(
            purpose="capture", experiment="loud", mount=replace(config, binary=binary, argv=argv),
            load=replace(self._plan.loads["seq"], randseed=1), out=str(folder), repeat=1,
            state_root=str(self._root / "state"), repository=str(CHECKOUT),
        )  # fmt: skip
        with _quietly():
            record = execute(request)
        if record.status != "ok":
            sys.exit(f"the capture failed: {record.reason}")
        if (said := "; ".join(mark for mark in record.marks if ".log" in mark)) and self._count < 5:
            print(f"  {said}")
        return _bandwidth(folder)

    def _folder(self) -> Path:
        self._count += 1
        folder = self._root / f"run-{self._count}"
        folder.mkdir()
        return folder


def _plan(root: Path, runtime_s: float) -> Plan:
    path = root / "experiments" / "loud.yaml"
    path.parent.mkdir()
    path.write_text(EXPERIMENT.format(runtime_ms=round(1000 * runtime_s)))
    loaded = load_experiment(path, CHECKOUT)
    return make_plan(loaded)


def _bandwidth(folder: Path) -> float:
    return next(m.value for m in REGISTRY["fio"].metrics(folder) if m.name == "write.bw")


def compare(bench: Bench, profiler: str, rounds: int) -> None:
    ways: dict[str, Callable[[], float]] = {
        "no profiler": lambda: bench.alone("none"),
        "the profiler alone": lambda: bench.alone(profiler),
        "fuselab's capture": lambda: bench.captured(profiler),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    print(f"{profiler}:")
    for number in range(rounds):
        for name in list(ways)[number % 3 :] + list(ways)[: number % 3]:
            found[name].append(ways[name]())
    plain, alone, ours = found.values()
    for name, values in found.items():
        single = ", ".join(f"{value / 1e6:.0f}" for value in values)
        print(f"  {name:<20} {statistics.median(values) / 1e6:6.0f} MB/s ({single})")
    costs = [a / b for a, b in zip(plain, alone, strict=True)]
    more = [a / b for a, b in zip(alone, ours, strict=True)]
    bound = max(1.1, statistics.median(costs))
    print(f"  bandwidth without a profiler / with the profiler alone: {statistics.median(costs):.2f} times")
    promise(f"{profiler}: bandwidth of the profiler alone / in fuselab", statistics.median(more), bound)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the lines that a run says of itself."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


if __name__ == "__main__":
    main()
