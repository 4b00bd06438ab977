"""Real counters whose truth is known, on a machine that is never quiet: is chance named, and is what was planted found?

Usage: python tests/bench/counters_real.py [--experiments N] [--beside N] [--load L] [--minutes M] [--keep FOLDER]

`stress-ng` keeps the load average at L (8) throughout, with as many processes as the bench and whoever else is on the
machine leave to it. Each round is three experiments, through the whole of fuselab: demofs against itself; plainfs, a C
filesystem of the tests, against itself with one more pwrite a write, with one more fsync in a hundred writes, and with
one more request for each write (a load that syncs); and demofs on etcd, whose writes find the file as long as it will
be, or make it longer, which costs one more request to etcd. Several rounds are made by one call of Snakemake, and as
many of their runs side by side: to count takes no quiet machine, and what one run does is noise to the others. The
exit code is 1 if a counter of demofs against itself is named, if a planted one is not, or if a variant took more than
5 s of load in the median round: of fio's own run time, from its first I/O to its last. How long it takes to start,
beside eight busy processes most of all, is no load, and is printed beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))
from tests.bench.method_real import workspace  # noqa: E402

from fuselab.records.places import WORK_RUN  # noqa: E402
from fuselab.workloads.fio.kind import OUTPUT  # noqa: E402

MEASURING = ("verify", "time_block", "work_block")
"""Rules whose jobs take the machine for themselves otherwise."""
BUSY = ["setpriv", "--pdeathsig", "TERM", "stress-ng", "--quiet", "--cpu", "1"]
_LOOK_S = 15.0
MOST_S = 5.0
"""Of load, for each variant: of all its runs together."""
PLAINFS = """\
name: plainfs
title: a folder, passed on
build: {{installed: {{binary: "{binary}"}}}}
options:
  more: {{argv: ["--more-pwrites={{value}}"]}}
  sync: {{argv: ["--sync-every={{value}}"]}}
mount: {{argv: ["{{binary}}", "{{state}}", "{{options}}", "{{mountpoint}}", "-f"]}}
"""
SAME = """\
title: demofs against itself
target: demofs
backend: memory
variants: {baseline: {}}
control: true
workloads: {w: {fio: {rw: write, bs: 128k, size: 16m}}}
blocks: 1
work: true
seed: SEED
"""
PLANTED = """\
title: what was planted into plainfs
target: plainfs
variants:
  baseline: {}
  pwrite: {options: {more: 1}}
  fsync: {options: {sync: 100}}
  request: {fio: {fdatasync: 1}}
workloads: {w: {fio: {rw: write, bs: 8k, size: 800k, direct: 1}}}
blocks: 1
work: true
seed: SEED
"""
ETCD = """\
title: one more request to etcd
target: demofs
backend: etcd
variants:
  baseline: {fio: {size: 1m}}
  etcd: {}
workloads: {w: {fio: {rw: write, bs: 64k, size: 4m, io_size: 4m}}}
blocks: 1
work: true
seed: SEED
"""
EXPERIMENTS = {"same": SAME, "planted": PLANTED, "etcd": ETCD}
FOUND_IN = {
    "pwrite": "work.pwrite64_per_op",
    "fsync": "work.fsync_per_op",
    "request": "work.fuse_requests.FSYNC_per_op",
    "etcd": "work.service.",
}
"""Variant -> the counter, or any of those that begin so, by which it must be named."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    found: Counter[str] = Counter()
    named, rounds = 0, 0
    with ExitStack() as stack:
        root = stack.enter_context(workspace(options.keep))
        _plainfs(root)
        _make(root, [1], 1, "--until", "build")  # that beside the load would take minutes, and counts nothing
        load = stack.enter_context(under_load(options.load))
        until = time.monotonic() + options.minutes * 60
        while rounds < options.experiments and time.monotonic() < until:
            began = time.monotonic()
            numbers = range(rounds + 1, min(rounds + options.beside, options.experiments) + 1)
            _make(root, numbers, options.beside)
            for number in numbers:
                alarms, here = _outcome(root, number)
                named += bool(alarms)
                found.update(here)
                print(f"{number:3}  named of nothing: {alarms or 'none'}; found: {', '.join(here)}")
            rounds = numbers[-1]
            print(f"     {time.monotonic() - began:.0f} s; {load.words()}", flush=True)
        loads_s = _loads_s(root)
    print(f"\n{rounds} experiments of demofs against itself; {named} of them name a counter")
    for variant in FOUND_IN:
        print(f"one more {variant}: found in {found[variant]} of {rounds}")
    longest_s = 0.0
    for variant, each in sorted(loads_s.items()):
        whole_s, io_s = (sorted(part) for part in zip(*each, strict=True))
        longest_s = max(longest_s, median(io_s))
        said = f"{io_s[0]:.1f} to {io_s[-1]:.1f} s of load, median {median(io_s):.1f}"
        print(f"{variant}: {said}; {median(whole_s):.1f} with fio's start and end")
    print(load.words())
    return int(named > 0 or any(found[v] < rounds for v in FOUND_IN) or longest_s > MOST_S)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=20)
    parser.add_argument("--beside", type=int, default=4, help="rounds in one call, and runs at once")
    parser.add_argument("--load", type=float, default=8.0, help="average to keep")
    parser.add_argument("--minutes", type=float, default=600.0, help="no round begins later than that")
    parser.add_argument("--keep", type=Path, help="an empty or new folder; what was measured stays in it")
    return parser.parse_args(arguments)


class Load:
    """Busy processes: as many as keep the load average, beside what others do."""

    def __init__(self, average: float) -> None:
        self._average, self._processes = average, list[subprocess.Popen[bytes]]()
        self._seen: list[float] = []
        self._counts: list[int] = []
        self._over = threading.Event()

    def words(self) -> str:
        seen, counts = self._seen or [os.getloadavg()[0]], self._counts or [len(self._processes)]
        return (
            f"load average {min(seen):.1f} to {max(seen):.1f}, median {median(seen):.1f}, "
            f"{min(counts)} to {max(counts)} processes of stress-ng in it"
        )

    def keep(self) -> None:
        """Until `end`: look how many others there were lately, and have what is missing."""
        self._have(round(self._average - os.getloadavg()[0]))
        while not self._over.wait(0):
            before = os.getloadavg()[0]
            if self._over.wait(_LOOK_S):
                break
            # The average is one of the numbers before, each a minute's e-th part as heavy as the one that came later.
            kept = math.exp(-_LOOK_S / 60)
            active = (os.getloadavg()[0] - before * kept) / (1 - kept)
            if os.getloadavg()[0] >= self._average * 0.95 or self._seen:
                self._seen.append(os.getloadavg()[0])
                self._counts.append(len(self._processes))
            self._have(math.ceil(self._average - (active - len(self._processes))))

    def _have(self, number: int) -> None:
        while len(self._processes) > max(1, number):
            self._stop(self._processes.pop())
        while len(self._processes) < min(max(1, number), math.ceil(self._average)):
            self._processes.append(subprocess.Popen(BUSY))

    def is_kept(self) -> bool:
        return bool(self._seen)

    def end(self) -> None:
        self._over.set()
        for process in self._processes:
            self._stop(process)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait()


@contextmanager
def under_load(average: float) -> Iterator[Load]:
    """Once the load average is there."""
    load = Load(average)
    keeper = threading.Thread(target=load.keep)
    keeper.start()
    try:
        while not load.is_kept():
            time.sleep(1)
        yield load
    finally:
        load._over.set()
        keeper.join()
        load.end()


def _plainfs(root: Path) -> None:
    """The C program, and what is told to fuselab of it."""
    (root / "targets").unlink()
    (root / "targets" / "plainfs").mkdir(parents=True)
    (root / "targets" / "demofs").symlink_to(CHECKOUT / "targets" / "demofs")
    binary = Path(tempfile.mkdtemp(prefix="plainfs-", dir=root)) / "plainfs"
    libfuse = subprocess.check_output(["pkg-config", "--cflags", "--libs", "fuse3"], text=True).split()
    source = CHECKOUT / "tests/programs/plainfs.c"
    subprocess.run(["gcc", "-O1", "-g", str(source), "-o", str(binary), *libfuse], check=True)
    (root / "targets/plainfs/target.yaml").write_text(PLAINFS.format(binary=binary))


def _make(root: Path, numbers: Sequence[int], beside: int, *more: str) -> None:
    """The comparisons of all experiments of some rounds, `more` said to Snakemake."""
    for number in numbers:
        for kind, text in EXPERIMENTS.items():
            name = f"{kind}-{number:02d}"
            yaml = f"name: {name}\n{text.replace('SEED', str(number))}"
            (root / "experiments" / f"{name}.yaml").write_text(yaml)
    log = root / f"round-{numbers[0]:02d}.log"
    targets = [f"results/{kind}-{number:02d}/comparisons.csv" for number in numbers for kind in EXPERIMENTS]
    at_once = ["--set-threads", *(f"{rule}=1" for rule in MEASURING)]
    at_once += ["--set-resources", *(f"{rule}:rig=0" for rule in MEASURING)]
    with log.open("w") as file:
        done = subprocess.run(
            [".venv/bin/snakemake", "--cores", str(beside), *targets, *at_once, *more],
            cwd=root, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "FUSELAB_NO_PATIENCE": "1"},
        )  # fmt: skip
    if done.returncode != 0:
        sys.exit(log.read_text()[-4000:])


def _outcome(root: Path, number: int) -> tuple[list[str], list[str]]:
    """Of a round: what was named though nothing differs, and the variants whose planted counter was found."""
    same, planted, etcd = (
        _different(root / f"results/{kind}-{number:02d}/comparisons.csv") for kind in EXPERIMENTS
    )
    found = planted | etcd
    return sorted(metric for _, metric in same), [
        variant
        for variant, counter in FOUND_IN.items()
        if any(name == variant and metric.startswith(counter) for name, metric in found)
    ]


def _different(comparisons: Path) -> set[tuple[str, str]]:
    """(variant, counter) of all that are called more or less work."""
    with comparisons.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["family"] == "work"]
    if not rows:
        sys.exit(f"{comparisons} has no counters")
    return {(row["variant"], row["metric"]) for row in rows if "work" in row["verdict"]}


def _loads_s(root: Path) -> dict[str, list[tuple[float, float]]]:
    """By kind of experiment and variant: for how long all counted runs of one in an experiment loaded it, and for how
    long of that fio did I/O: it takes longer to start."""
    seconds: Counter[tuple[str, str]] = Counter()
    io_seconds: Counter[tuple[str, str]] = Counter()
    for path in root.glob(f"results/*/work/*/*/*/*/{WORK_RUN}"):
        record = json.loads(path.read_text())
        start, end = record["load_window_s"]
        of = (path.relative_to(root).parts[1], record["variant"])
        seconds[of] += end - start
        jobs = json.loads(path.with_name(OUTPUT).read_text())["jobs"]
        io_seconds[of] += sum(job["write"]["runtime"] for job in jobs) / 1e3
    loads: dict[str, list[tuple[float, float]]] = {}
    for (experiment, variant), load_s in seconds.items():
        part = (load_s, io_seconds[experiment, variant])
        loads.setdefault(f"{experiment.rpartition('-')[0]} {variant}", []).append(part)
    return loads


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
