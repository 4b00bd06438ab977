"""Every row of comparisons.csv as a table, and what the words of a verdict mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from fuselab.records.comparison import Comparison
from fuselab.records.plan import PlanFile
from fuselab.report import tables, words, work
from fuselab.report.context import Cell, Column, Fact, Link, Table
from fuselab.report.page.verdicts import first_line, is_control, primary_rows
from fuselab.report.reading import Results

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
    (
        "typical",
        "the median run of the baseline, and of the variant. Machines drift, so the change between the two is taken "
        "within blocks and need not be theirs.",
    ),
    (
        "more work, less work",
        "what was counted in runs of the same work differs (system calls, requests, bytes). That needs no clock, and "
        "says nothing about time.",
    ),
    ("failed", "the variant could not complete its runs, or did not read back what it had written."),
    (
        "change, interval",
        "of variant / baseline within a block: the typical value (Hodges-Lehmann) over blocks with its exact "
        "signed-rank interval. Its level stands beside it.",
    ),
    (
        "block",
        "one timed run of every variant, next to each other in time, in random order. Timed runs carry no profiler.",
    ),
    (
        "slice",
        "all variants of a block are mounted at once, and their loads take turns: one turn is a slice. What a variant "
        "did in its own slices is its one figure of the block.",
    ),
    ("control", "a variant identical to the baseline. Whatever is found between the two is noise."),
)


def reading(plan: PlanFile) -> tuple[Fact, ...]:
    """How to read the page: its words and what they mean."""
    said = {"control": bool(plan.controls), "slice": any(w.slice_s is not None for w in plan.workloads)}
    return tuple(Fact(word, meaning) for word, meaning in _READING if said.get(word, True))


def primary_table(results: Results) -> Table | None:
    """The primary comparisons alone, as a paper prints them."""
    plan, rows = results.plan, primary_rows(results)
    if not rows:
        return None
    workload = "" if len(plan.judged) > 1 else f" Workload: {rows[0].workload}."
    names = [name for name in _PRIMARY if name != "workload" or not workload]
    caption = (
        f"Variant against baseline: change of each primary metric, with its interval; threshold "
        f"±{words.percent(plan.threshold)}.{workload}"
    )
    return table("verdicts-table", caption, names, plan, rows)


def table(
    key: str,
    caption: str,
    names: Sequence[str],
    plan: PlanFile,
    rows: Sequence[Comparison],
    links: tuple[Link, ...] = (),
) -> Table:
    """The columns `names` of comparisons."""
    columns = _COLUMNS | _OF_OTHERS
    heads = tuple(Column(name, name in _NUMERIC, wide=name == "counter") for name in names)
    return Table(
        key, caption, heads, tuple(tuple(columns[n](plan, row) for n in names) for row in rows), links
    )


def comparison_table(results: Results, links: tuple[Link, ...]) -> Table | None:
    """Every row of comparisons.csv, the primary metrics first. What is alike in all rows stands in the caption."""
    plan, rows = results.plan, [row for row in results.comparisons if row.family != "work"]
    if not rows:
        return None
    points = {point for points in plan.points.values() for point in points}
    rows = [row for row in rows if row.workload not in points or row.metric in plan.primary]
    order = {metric: i for i, metric in enumerate(plan.primary)}
    rows.sort(key=lambda row: (order.get(row.metric, len(order)), is_control(plan, row)))
    texts = {name: {cell(plan, row).text for row in rows} for name, cell in _COLUMNS.items()}
    alike = {name: min(said) for name, said in texts.items() if name in _LIFTED and len(said) == 1}
    shown = [name for name, said in texts.items() if name not in alike and any(said)]
    said = ", ".join(f"{name} {text}" for name, text in alike.items() if text)
    caption = (
        "Every metric of every contrast. Primary metrics were named before the first run; the others are "
        "exploratory: they suggest what to look at next, and decide nothing."
    )
    if points:
        caption += " Of single points of a curve the primary metrics are shown; comparisons.csv has all."
    return table(
        "comparisons", caption + (f" In all rows: {said}." if said else ""), shown, plan, rows, links
    )


def _extra(name: str, plan: PlanFile, row: Comparison) -> Cell:
    value: float | None = getattr(row, name)
    if value is None:
        return Cell("")
    digits = 3 if name.endswith("ratio") else 2
    return Cell(words.percent(value) if name.endswith("rate") else words.number(value, digits), repr(value))


def _family(plan: PlanFile, row: Comparison) -> str:
    computed = (
        "control" if is_control(plan, row) else "primary" if row.metric in plan.primary else "exploratory"
    )
    return row.family or computed


def _text(name: str, plan: PlanFile, row: Comparison) -> Cell:
    return Cell(getattr(row, name))


def _change(plan: PlanFile, row: Comparison) -> Cell:
    ratio, low, high = row.interval
    return Cell(words.change_beside(ratio, low, high), repr(ratio)) if row.has_interval else Cell("")


def _interval(plan: PlanFile, row: Comparison) -> Cell:
    _, low, high = row.interval
    if low == high:
        return Cell("every run", repr(low))
    return Cell(words.change_interval(low, high), repr(low)) if row.has_interval else Cell("")


def _typical(plan: PlanFile, row: Comparison) -> Cell:
    """What is typical of both sides, by themselves; sorted by that of the variant."""
    return Cell(
        "" if row.typical is None else work.span(row), "" if row.typical is None else repr(row.typical)
    )


_PRIMARY = (
    "workload",
    "variant",
    "baseline",
    "metric",
    "typical",
    "change",
    "interval",
    "level",
    "verdict",
    "blocks",
)
_LIFTED = ("baseline", "workload", "level", "blocks", "note")
_COLUMNS: dict[str, Callable[[PlanFile, Comparison], Cell]] = {
    **{name: partial(_text, name) for name in ("variant", "baseline", "workload")},
    "metric": lambda plan, row: Cell(row.metric, strong=row.metric in plan.primary),
    "better": partial(_text, "better"),
    "typical": _typical,
    "change": _change,
    "interval": _interval,
    "level": lambda plan, row: Cell(words.level(row.level) if row.level is not None else ""),
    "verdict": lambda plan, row: Cell(row.verdict, strong=row.differs or row.word == "failed"),
    "family": lambda plan, row: Cell(_family(plan, row)),
    "blocks": lambda plan, row: Cell(str(row.blocks), str(row.blocks)),
    **{name.replace("_", " "): partial(_extra, name) for name in EXTRAS},
    "note": lambda plan, row: tables.folded(words.percents(first_line(row.note))),
}
_OF_OTHERS: dict[str, Callable[[PlanFile, Comparison], Cell]] = {
    **{name: partial(_text, name) for name in ("profiler", "step")},
    "counter": lambda plan, row: Cell(words.capital(words.plain_noun(row.metric))),
}
_NUMERIC = {"change", "level", "blocks", *(name.replace("_", " ") for name in EXTRAS)}
