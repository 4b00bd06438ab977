"""What an experiment of thousands of blocks costs Snakemake and the report, on results that are made up.

    python -m tests.bench.scale [--blocks 10000] [--folder DIR]

Writes an experiment of two variants under 20 loads and, in the exact formats, a finished folder for each of its blocks.
Then it calls what a user calls, each as a process of its own: the DAG with nothing measured and with everything
measured, the figures, the verdicts and the page; and the page of 30 variants under 6 loads. Prints seconds, CPU
seconds, which say on a busy machine what a quiet one takes, and peak memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tests.bench.promises import promise
from tests.unit.report.fixture import Maker, Shape, make

from fuselab import checksums
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.planning import make_plan
from fuselab.records.places import Results
from fuselab.records.verified import Verified
from fuselab.workflow.layout import Layout

CHECKOUT = Path(__file__).resolve().parents[2]
LINKED = ("Snakefile", "rules", "scripts", "targets", "services", "profiles", "envs", ".venv")
LOADS = 20
DAG_S, REPORT_S, REPORT_MB, MEMORY_MB = 30, 60, 15, 2000
MANY_MB, MANY_S = 10, 20
SNAKEMAKE = (".venv/bin/snakemake", "--cores", "2")


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:8.1f} s {self.cpu_s:8.1f} s of CPU {self.peak_mb:8.0f} MB"


def cost(*argv: str, cwd: Path) -> Cost:
    """Of a command with all that it starts; memory is that of its largest process."""
    start = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)}:\n{said[-4000:]}")
    return Cost(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def write_experiment(root: Path, blocks: int) -> None:
    """A project in `root`, with the checkout's code."""
    for name in LINKED:
        (root / name).symlink_to(CHECKOUT / name)
    (root / "config.yaml").write_text("experiments: []\n")
    (root / "experiments").mkdir()
    loads = "".join(
        f"  load-{i:02d}: {{fio: {{rw: write, bs: {4 * i}k, size: 64m, runtime: 1s}}}}\n"
        for i in range(1, LOADS + 1)
    )
    (root / "experiments/scale.yaml").write_text(
        "name: scale\ntitle: Thousands of blocks\ntarget: directory\nwork: false\n"
        f"variants:\n  baseline: {{}}\n  other: {{control: true}}\nworkloads:\n{loads}blocks: {blocks // LOADS}\n"
    )


class Made(Maker):
    """Writes blocks where the plan of a real experiment has them."""

    def block(self, folder: Path, workload: str, code: str = "made-up") -> None:
        number = int(folder.name)
        order = list(self.shape.effects)
        self.random.shuffle(order)
        for position, variant in enumerate(order):
            speed = self.shape.effects[variant] * self.random.lognormvariate(0, 0.05)
            self._run(folder / variant, workload, variant, number, position, speed)
        block = {
            "block": number, "workload": workload, "purpose": "timed", "order": order, "randseed": number,
            "variants": {variant: {"status": "ok"} for variant in order},
            "attempts": 1, "voided": [], "noisy": False, "code": code,
        }  # fmt: skip
        self._json(folder / "block.json", block)
        checksums.write_sums(folder)


def write_results(root: Path) -> None:
    """All that `root`'s experiment measures."""
    # Made-up results need not survive a power cut, and 100,000 files would be flushed one by one.
    vars(checksums)["flush"] = lambda path: None
    plan = make_plan(load_experiment(root / "experiments/scale.yaml", root))
    made = Made(Results(root / "results").folder, Shape("scale", effects={"baseline": 1.0, "other": 1.0}))
    layout = Layout(plan)
    for run in plan.verifying:
        folder = root / layout.home.verified(run.variant, run.spec)
        folder.mkdir(parents=True)
        (folder / "verify.json").write_bytes(msgspec.json.encode(Verified(run.variant, "ok")))
        checksums.write_sums(folder)
    for folder in map(Path, layout.blocks()):
        made.block(root / folder, folder.parts[-3])


def write_many(root: Path) -> Path:
    """A report's files of 30 variants under 6 loads."""
    effects = {f"variant-{i:02d}": 1.0 - 0.02 * i for i in range(30)}
    loads = tuple(f"load-{i}" for i in range(6))
    return make(
        root / "results", Shape("many", "30 x 6", effects, frozenset(), loads, profilers=(), blocks=12)
    )


def bench(root: Path, blocks: int) -> None:
    write_experiment(root, blocks)
    home = "results/scale"
    print(f"{blocks} blocks under {LOADS} loads: wall time, CPU time, peak memory of the largest process")
    dag = cost(*SNAKEMAKE, "-n", "--quiet", "all", "--", f"{home}/report.html", cwd=root)
    print(f"  DAG, nothing measured    {dag}", flush=True)
    start = time.perf_counter()
    write_results(root)
    files = sum(len(names) for _, _, names in os.walk(root / home))
    size = sum(path.stat().st_size for path in (root / home).rglob("*") if path.is_file())
    print(
        f"  made up: {files} files, {size / 1e6:.0f} MB, in {time.perf_counter() - start:.0f} s", flush=True
    )
    whole = cost(*SNAKEMAKE, "-n", "--quiet", "all", "--", f"{home}/report.html", cwd=root)
    print(f"  DAG, all measured        {whole}", flush=True)
    steps = {}
    for name in ("metrics.csv", "comparisons.csv", "report.html"):
        steps[name] = cost(*SNAKEMAKE, f"{home}/{name}", cwd=root)
        print(f"  to {name:<21} {steps[name]}  (with its DAG)", flush=True)
    again = cost(*SNAKEMAKE, f"{home}/report.html", cwd=root)
    print(f"  nothing left to do       {again}", flush=True)
    page_mb = (root / home / "report.html").stat().st_size / 1e6
    write_many(root)
    many = cost(sys.executable, "-m", "tests.bench.scale", "--page", str(root.resolve()), cwd=CHECKOUT)
    print(f"  30 x 6: the page         {many}", flush=True)
    promise("DAG with nothing measured, CPU time", dag.cpu_s, DAG_S, "s")
    promise("report, CPU time without its DAG", steps["report.html"].cpu_s - whole.cpu_s, REPORT_S, "s")
    promise("report, memory", steps["report.html"].peak_mb, MEMORY_MB, "MB")
    promise("report, size", page_mb, REPORT_MB, "MB")
    promise("30 x 6, CPU time", many.cpu_s, MANY_S, "s")
    promise("30 x 6, size", (root / "results/many/report.html").stat().st_size / 1e6, MANY_MB, "MB")


def page(root: Path) -> None:
    from fuselab.report.inputs import find
    from fuselab.report.page.render import write_report

    inputs = find(root / "results", root / "experiments/many.yaml", "many")
    write_report(inputs, root / "results/many/report.html")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument(
        "--folder", type=Path, help="where results are made up (default: the temporary folder)"
    )
    parser.add_argument("--page", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.page:
        page(asked.page)
        return
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-", dir=asked.folder) as name:
        bench(Path(name), asked.blocks)


if __name__ == "__main__":
    main()
