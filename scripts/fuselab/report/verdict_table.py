"""Every row of comparisons.csv as a table, and what the words of a verdict mean."""

from __future__ import annotations

from fuselab.report import words
from fuselab.report.context import Cell, Column, Fact, Link, Table
from fuselab.report.plan import PlanFile
from fuselab.report.reading import Results
from fuselab.report.records import Comparison
from fuselab.report.verdicts import first_line, is_control

EXTRAS = ("mean_ratio", "max_ratio", "stall_rate", "p_adjusted")
"""Columns shown beside the verdict where comparisons.csv has them; what else it has is read there."""

_READING = (
    (
        "faster, slower",
        "the interval of the ratio excludes “no change”. “Below threshold” is added where the whole interval "
        "lies inside the threshold: real, but smaller than what was said to matter.",
    ),
    (
        "no difference shown",
        "the whole interval lies inside the threshold: a difference that matters is ruled out. It does not mean "
        "that the two are equal.",
    ),
    (
        "inconclusive",
        "the interval reaches beyond the threshold and includes “no change”: these runs cannot tell. More blocks, or a "
        "quieter machine, can.",
    ),
    ("failed", "the variant could not complete its runs, or did not read back what it had written."),
    (
        "ratio, interval",
        "variant / baseline within a block, the typical value (Hodges-Lehmann) over blocks with its exact signed-rank "
        "interval. Its level stands beside it.",
    ),
    (
        "block",
        "one timed run of every variant, next to each other in time, in random order. Timed runs carry no profiler.",
    ),
    ("control", "a variant identical to the baseline. Whatever is found between the two is noise."),
)


def reading(plan: PlanFile) -> tuple[Fact, ...]:
    """How to read the page: its words and what they mean."""
    return tuple(Fact(word, meaning) for word, meaning in _READING if word != "control" or plan.controls)


def comparison_table(results: Results, links: tuple[Link, ...]) -> Table | None:
    """Every row of comparisons.csv, the primary metrics first."""
    plan, rows = results.plan, list(results.comparisons)
    if not rows:
        return None
    order = {metric: i for i, metric in enumerate(plan.primary)}
    rows.sort(key=lambda r: (order.get(r.metric, len(order)), is_control(plan, r)))
    extras = [name for name in EXTRAS if any(row.extras.get(name) for row in rows)]
    names = [
        "variant",
        "baseline",
        "workload",
        "metric",
        "better",
        "ratio",
        "interval",
        "level",
        "verdict",
        "family",
        "blocks",
    ]
    numeric = {"ratio", "level", "blocks", *extras}
    columns = tuple(Column(name.replace("_", " "), name in numeric) for name in [*names, *extras, "note"])
    return Table(
        "comparisons",
        "Every metric of every contrast. Primary metrics were named before the first run; the others are exploratory: "
        "they suggest what to look at next, and decide nothing.",
        columns,
        tuple(_cells(plan, row, extras) for row in rows),
        links,
    )


def _cells(plan: PlanFile, row: Comparison, extras: list[str]) -> tuple[Cell, ...]:
    family = row.family or (
        "control" if is_control(plan, row) else "primary" if row.metric in plan.primary else "exploratory"
    )
    interval = words.change_interval(row.low, row.high) if row.has_interval else ""
    return (
        Cell(row.variant),
        Cell(row.baseline),
        Cell(row.workload),
        Cell(row.metric, strong=row.metric in plan.primary),
        Cell(row.better),
        Cell(words.change(row.ratio) if row.has_interval else "", repr(row.ratio)),
        Cell(interval, repr(row.low)),
        Cell(words.level(row.level) if row.level is not None else ""),
        Cell(row.verdict, strong=row.word in ("faster", "slower", "failed")),
        Cell(family),
        Cell(str(row.blocks), str(row.blocks)),
        *(_extra(name, row.extras.get(name, "")) for name in extras),
        Cell(first_line(row.note)),
    )


def _extra(name: str, text: str) -> Cell:
    try:
        value = float(text)
    except ValueError:
        return Cell(text)
    worded = (
        words.change(value)
        if name.endswith("ratio")
        else words.percent(value)
        if name.endswith("rate")
        else words.number(value, 2)
    )
    return Cell(worded, text)
