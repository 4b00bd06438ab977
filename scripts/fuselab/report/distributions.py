"""What lies behind the verdicts: every timed run by block, the latency curves, throughput over the seconds of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from fuselab.report import figures, words
from fuselab.report.context import FigureGroup, FigureView
from fuselab.report.drawing import Drawing, inline
from fuselab.report.embed import data_link
from fuselab.report.reading import Results, Run

DIRECTIONS = ("read", "write", "trim")


def view(drawing: Drawing, caption: str, narrow: Drawing | None = None) -> FigureView:
    """`drawing` for the page: its SVG, its caption, its data."""
    link = data_link(drawing.data, drawing.name)
    small = Markup(inline(narrow, f"{drawing.name}-narrow")) if narrow is not None else None
    return FigureView(drawing.name, Markup(inline(drawing, drawing.name)), small, caption, (link,) if link else ())


def by_block(results: Results) -> tuple[FigureGroup, ...]:
    """Each primary metric under each workload: paired by block, and in order of time."""
    return tuple(
        FigureGroup(words.capital(title), tuple(view(drawing, caption) for drawing, caption in drawn))
        for title, drawn in block_drawings(results)
    )


def block_drawings(results: Results) -> Iterator[tuple[str, list[tuple[Drawing, str]]]]:
    plan = results.plan
    table = pd.DataFrame(results.samples)
    if table.empty:
        return
    variants = figures.places(plan.names())
    metrics = list(plan.primary) or list(dict.fromkeys(table["metric"]))[:4]
    for w, workload in enumerate(plan.workloads):
        for m, metric in enumerate(metrics):
            values = table[(table.workload == workload.name) & (table.metric == metric) & table.value.notna()]
            if values.empty:
                continue
            noun = words.phrase(metric).noun
            title = noun + (f" under {workload.name}" if len(plan.workloads) > 1 else "")
            yield title, [
                (
                    figures.paired(f"paired-{w}-{m}", values, variants, words.capital(noun)),
                    "One mark is one timed run; a line joins the runs of one block. Lines that all lean the same way are "
                    "an effect, lines that cross are noise.",
                ),
                (
                    figures.over_blocks(f"blocks-{w}-{m}", values, variants, words.capital(noun)),
                    "The same runs in order of time. What moves all variants together is the machine, and cancels within a block.",
                ),
            ]


def within_runs(results: Results) -> tuple[FigureGroup, ...]:
    """Latency by percentile and throughput over time, for loads that fio made."""
    return tuple(
        FigureGroup(title, tuple(view(drawing, caption) for drawing, caption in drawn)) for title, drawn in run_drawings(results)
    )


def run_drawings(results: Results) -> Iterator[tuple[str, list[tuple[Drawing, str]]]]:
    plan = results.plan
    variants = figures.places(plan.names())
    for w, workload in enumerate(plan.workloads):
        runs = [run for run in results.runs if run.record.workload == workload.name]
        drawn: list[tuple[Drawing, str]] = []
        curves, series = latency_curves(runs), throughput(runs)
        for direction in DIRECTIONS:
            shown = curves[curves.direction == direction] if not curves.empty else curves
            if not shown.empty:
                drawn.append((
                    figures.percentiles(f"latency-{w}-{direction}", shown, variants, words.capital(direction)),
                    "Every run is one line; the axis stretches the tail. Curves that part only at the right differ in their tail alone.",
                ))
            shown = series[series.direction == direction] if not series.empty else series
            if not shown.empty:
                drawn.append((
                    figures.over_time(f"throughput-{w}-{direction}", shown, variants, f"{words.capital(direction)} throughput", "bytes/s"),
                    "From fio's own log. A level line means the load had settled; a falling one that the run was still filling a cache.",
                ))
        if drawn:
            yield "Inside the runs" + (f" of {workload.name}" if len(plan.workloads) > 1 else ""), drawn


def latency_curves(runs: list[Run]) -> pd.DataFrame:
    """direction, variant, block, percentile, latency_ns of every run that left a fio.json."""
    rows = []
    for run in runs:
        for direction, points in _fio_percentiles(run.folder / "fio.json").items():
            rows += [
                {"direction": direction, "variant": run.record.variant, "block": run.record.block, "percentile": p, "latency_ns": ns}
                for p, ns in points
                if 0 < p < 100 and ns > 0
            ]
    return pd.DataFrame(rows)


def _fio_percentiles(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Of the job with the most I/Os in each direction: percentiles of several jobs cannot be added up."""
    if not path.is_file():
        return {}
    text = path.read_text(errors="replace")
    jobs = json.loads(text[text.index("{") :]).get("jobs", [])
    found = {}
    for direction in DIRECTIONS:
        sides = [job[direction] for job in jobs if job.get(direction, {}).get("total_ios")]
        if sides:
            latency = max(sides, key=lambda side: float(side["total_ios"])).get("clat_ns", {})
            found[direction] = [(float(p), float(ns)) for p, ns in latency.get("percentile", {}).items()]
    return found


def throughput(runs: list[Run]) -> pd.DataFrame:
    """direction, variant, run, time_s, value (bytes/s) from fio's bandwidth logs: `msec, KiB/s, direction, ...`."""
    rows = []
    for run in runs:
        for path in sorted(run.folder.glob("*bw*.log")):
            for line in path.read_text().splitlines():
                parts = line.split(",")
                if len(parts) >= 3 and parts[2].strip() in ("0", "1", "2"):
                    rows.append({
                        "direction": DIRECTIONS[int(parts[2])],
                        "variant": run.record.variant,
                        "run": run.record.block,
                        "time_s": float(parts[0]) / 1000,
                        "value": float(parts[1]) * 1024,
                    })
    table = pd.DataFrame(rows)
    if not table.empty and table["time_s"].max() > 1e6:  # log_unix_epoch: seconds of this century, not of the run
        table["time_s"] -= table.groupby(["variant", "run"])["time_s"].transform("min")
    return table[table["value"].map(math.isfinite)] if not table.empty else table

