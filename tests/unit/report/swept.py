"""Made-up results of a swept load: four variants at eight depths, and at three block sizes where a second axis is asked
for. `python tests/unit/report/swept.py FOLDER` writes the report and the figures."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from fuselab.compare.comparisons import frame, judge
from fuselab.files import write_json
from fuselab.records.comparison import Comparison
from fuselab.records.contrast import Contrast
from fuselab.records.design import Design
from fuselab.records.metrics import Better, Sample
from fuselab.records.places import Home
from fuselab.records.plan import PlanFile, VariantPlan, WorkloadPlan
from fuselab.records.point import Coordinate, Point
from fuselab.records.table import write_rows
from fuselab.report.inputs import ReportInputs, find

DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128)
SIZES = ("4k", "16k", "64k")
VARIANTS = ("old", "batched", "lock-free", "tuned")
LIMIT_NS = 4e6


def latency_ns(variant: str, depth: int, size: int) -> float:
    """`batched` is slow at first and scales; `lock-free` scales, `tuned` is alike but for a little."""
    serial = {"old": 60e3, "batched": 25e3, "lock-free": 20e3, "tuned": 58e3}[variant]
    fixed = {"old": 80e3, "batched": 240e3, "lock-free": 82e3, "tuned": 80e3}[variant]
    return (fixed + serial * (depth - 1)) * (1 + 0.15 * size)


def samples(two: bool, blocks: int) -> list[Sample]:
    rng = random.Random(5)
    found = []
    for block in range(1, blocks + 1):
        for workload, point in points(two):
            depth, size = int(point.at[0].text), SIZES.index(point.at[1].text) if two else 0
            drift = rng.gauss(0, 0.04)
            for variant in VARIANTS:
                latency = latency_ns(variant, depth, size) * math.exp(drift + rng.gauss(0, 0.02))
                iops = depth / latency * 1e9
                rows: list[tuple[str, str, float, Better, int | None]] = [
                    ("write.bw", "B/s", iops * 4096 * 4**size, "higher", None),
                    ("write.iops", "1/s", iops, "higher", None),
                    ("write.lat_mean", "ns", latency, "lower", None),
                    ("write.p99", "ns", latency * 2.2, "lower", 200),
                ]
                found += [
                    Sample("swept", workload, block, variant, metric, unit, value, better, tail)
                    for metric, unit, value, better, tail in rows
                ]
    return found


def points(two: bool) -> list[tuple[str, Point]]:
    found = []
    for size in SIZES if two else SIZES[:1]:
        for depth in DEPTHS:
            at = [Coordinate("fio.iodepth", str(depth), float(depth))]
            if two:
                at.append(Coordinate("fio.bs", size, 1024.0 * int(size[:-1])))
            name = "-".join(("depths", *(f"{one.axis}-{one.text}" for one in at)))
            found.append((name, Point("depths", tuple(at), limit={"write.p99": LIMIT_NS})))
    return found


def make(results: Path, two: bool = False, blocks: int = 12) -> ReportInputs:
    """Below `results/swept`."""
    home, named = Home(results / "swept"), points(two)
    primary = ("write.bw", "write.p99")
    contrasts = tuple(("old", name) for name in VARIANTS[1:])
    plan = PlanFile(
        experiment="swept",
        title="How do four ways to queue scale with the depth?",
        variants=tuple(VariantPlan(name) for name in VARIANTS),
        workloads=tuple(
            WorkloadPlan(name, settings={"jobs": {name: {"rw": "write"}}}, point=p) for name, p in named
        ),
        contrasts=tuple(Contrast(*pair) for pair in contrasts),
        primary=primary,
        blocks=blocks,
    )
    names = tuple(name for name, _ in named)
    design = Design(
        "swept", "old", contrasts, names, primary, blocks=blocks, curves={"depths": names}, closed_loop=names
    )
    home.folder.mkdir(parents=True)
    write_json(home.plan, plan)
    measured = samples(two, blocks)
    write_rows(home.metrics, Sample, measured)
    write_rows(home.comparisons, Comparison, judge(frame(measured), design))
    yaml = results.parent / "experiments" / "swept.yaml"
    yaml.parent.mkdir(exist_ok=True)
    yaml.write_text("name: swept\n")
    return find(results, yaml, "swept")


if __name__ == "__main__":
    from fuselab.report.page.render import write_report

    for folder, two in ((Path(sys.argv[1]) / "one", False), (Path(sys.argv[1]) / "two", True)):
        inputs = make(folder / "results", two)
        write_report(inputs, inputs.folder / "report.html")
        print(inputs.folder / "report.html")
