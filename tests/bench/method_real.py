"""Real experiments whose truth is known: demofs against itself (A/A), and against itself made slower.

Usage: python tests/bench/method_real.py [--design blocks|slices] [--experiments N] [--runtime S] [--keep FOLDER]

Each experiment goes through the whole of fuselab (YAML, Snakemake, mounts, fio, blocks, verdicts) with a seed of its
own: 12 blocks of a baseline, a control identical to it, and a variant with demofs' knob `slow`. Every write waits for
1 ms in all of them, as one to a store over a network does, so that nearly all of its time is demofs' own, and what the
knob adds is what fio sees. By blocks of runs 10 % are planted; by slices 5 %, and each pair has 60 s of load. 20
experiments of runs take about 20 minutes on a quiet machine, of slices 40, and up to twice as long on a busy one, where
blocks are tried again. The exit code is 1 if more controls are called different than chance explains, if a planted
slowdown is called faster, or if none is found at all.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from scipy import stats

CHECKOUT = Path(__file__).resolve().parents[2]
LINKED = ("Snakefile", "rules", "scripts", "targets", "services", "profiles", ".venv")
BLOCKS = 12
UNLIKELY = 0.01
EXPERIMENT = """
name: {name}
title: Is a planted slowdown found, and is nothing found where nothing is?
target: demofs
backend: memory
variants:
  baseline: {{options: {{inject: extend-wait=1ms}}}}
  slow: {{options: {{inject: "extend-wait=1ms,slow={slow}%"}}}}
control: true
workloads:
  seq-write: {{fio: {{rw: write, bs: 128k, size: 32m, runtime: {runtime_ms}ms}}}}
blocks: {blocks}
design: {design}
seed: {seed}
compare: {{primary: [write.bw], threshold: 5%}}
"""


@dataclass(frozen=True)
class Design:
    """How the truth is asked for."""

    name: str
    slow: float
    """By so many per cent each operation takes longer."""
    runtime_s: float
    """Of each load in a block."""

    @property
    def planted(self) -> float:
        """Bandwidth of the slow variant / of the baseline."""
        return 1 / (1 + self.slow / 100)


DESIGNS = {each.name: each for each in (Design("blocks", 11, 0.5), Design("slices", 5.3, 2.5))}


@dataclass(frozen=True)
class Found:
    """One row of comparisons.csv."""

    verdict: str
    ratio: float
    low: float
    high: float

    def covers(self, ratio: float) -> bool:
        return self.low <= ratio <= self.high

    def __str__(self) -> str:
        return f"{self.verdict:32} {self.ratio:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Outcome:
    control: Found
    slow: Found
    voided: int
    noisy: int
    """Blocks that were kept although the machine was never quiet."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    design = DESIGNS[options.design]
    design = replace(design, runtime_s=options.runtime or design.runtime_s)
    outcomes = []
    with workspace(options.keep) as root:
        for number in range(1, options.experiments + 1):
            outcomes.append(_experiment(root, number, design))
            print(f"{number:3}  control: {outcomes[-1].control}", flush=True)
            print(f"     slow:    {outcomes[-1].slow}{_machine(outcomes[-1])}", flush=True)
    return _summary(outcomes, design.planted)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=20)
    parser.add_argument("--design", choices=DESIGNS, default="blocks")
    parser.add_argument("--runtime", type=float, help="of each load in a block, in seconds")
    parser.add_argument("--keep", type=Path, help="an empty or new folder; what was measured stays in it")
    return parser.parse_args(arguments)


@contextmanager
def workspace(keep: Path | None) -> Iterator[Path]:
    """A folder that looks like a checkout, on the checkout's disk: its results do not mix with anybody's."""
    results = CHECKOUT / "results"
    results.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-method-", dir=results) as scratch:
        root = keep.resolve() if keep else Path(scratch)
        (root / "experiments").mkdir(parents=True)
        for name in LINKED:
            (root / name).symlink_to(CHECKOUT / name)
        (root / "config.yaml").write_text("experiments: []\n")
        yield root


def _experiment(root: Path, number: int, design: Design) -> Outcome:
    name, runtime_ms = f"known-{number:02d}", round(1000 * design.runtime_s)
    text = EXPERIMENT.format(
        name=name, seed=number, runtime_ms=runtime_ms, design=design.name, slow=design.slow, blocks=BLOCKS
    )
    (root / "experiments" / f"{name}.yaml").write_text(text)
    log = root / f"{name}.log"
    with log.open("w") as file:
        done = subprocess.run(
            [".venv/bin/snakemake", "--cores", str(os.cpu_count()), f"results/{name}/comparisons.csv"],
            cwd=root, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        sys.exit(log.read_text()[-4000:])
    with (root / "results" / name / "comparisons.csv").open(newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file) if row["metric"] == "write.bw"}
    records = [json.loads(path.read_text()) for path in root.glob(f"results/{name}/blocks/*/*/*/block.json")]
    voided = sum(len(record["voided"]) for record in records)
    noisy = sum(record["noisy"] for record in records)
    return Outcome(_found(rows["control"]), _found(rows["slow"]), voided, noisy)


def _found(row: dict[str, str]) -> Found:
    ratio, low, high = (float(row[name] or "nan") for name in ("ratio", "ratio_low", "ratio_high"))
    return Found(row["verdict"], ratio, low, high)


def _machine(outcome: Outcome) -> str:
    said = [f"{outcome.voided} attempts voided"] if outcome.voided else []
    said += [f"{outcome.noisy} of {BLOCKS} blocks noisy"] if outcome.noisy else []
    return f"  [{', '.join([*said, f'load average {os.getloadavg()[0]:.1f}'])}]"


def _summary(outcomes: Sequence[Outcome], planted: float) -> int:
    count = len(outcomes)
    sides = {
        "A/A (the truth is 1)": ([outcome.control for outcome in outcomes], 1.0),
        f"planted (the truth is {planted:.3f})": ([outcome.slow for outcome in outcomes], planted),
    }
    for name, (found, truth) in sides.items():
        print(f"\n{name}, {count} experiments:")
        for verdict, times in Counter(one.verdict for one in found).most_common():
            print(f"  {times:3}  {verdict}")
        covered = sum(one.covers(truth) for one in found)
        print(
            f"  median ratio {median(one.ratio for one in found):.3f}; {covered} intervals contain the truth"
        )
    alarms = sum(_differs(outcome.control) for outcome in outcomes)
    chance = float(stats.binom.sf(alarms - 1, count, 0.05))
    print(f"\nfalse alarms: {alarms} of {count} (at most {0.05 * count:.2g} are to be expected)")
    if chance < UNLIKELY:
        print(f"chance alone makes so many in {chance:.1%} of such benches")
    backwards = sum(outcome.slow.verdict.startswith("faster") for outcome in outcomes)
    if backwards:
        print(f"called faster though slower: {backwards}")
    slower = sum(outcome.slow.verdict.startswith("slower") for outcome in outcomes)
    print(f"planted slowdowns found: {slower} of {count}")
    return int(chance < UNLIKELY or backwards > 0 or slower == 0)


def _differs(found: Found) -> bool:
    return found.verdict.startswith(("faster", "slower"))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
