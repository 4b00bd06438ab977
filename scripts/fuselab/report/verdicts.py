"""Verdicts in words: one sentence per contrast and workload, from the rows of comparisons.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fuselab.report import words
from fuselab.report.context import Cell, Column, Fact, Link, Table, VerdictView
from fuselab.report.plan import ContrastPlan, PlanFile
from fuselab.report.reading import Block, Comparison, Results

MARKS = {
    "faster": ("faster", "▲"),
    "slower": ("slower", "▼"),
    "no difference shown": ("none", "="),
    "inconclusive": ("open", "?"),
    "failed": ("failed", "✕"),
}
EXTRAS = ("mean_ratio", "max_ratio", "stall_rate", "p_adjusted")
"""Columns shown beside the verdict where comparisons.csv has them; what else it has is read there."""
MANY = 6
"""From more verdicts than this on, each is one sentence: the figure below shows the rest."""
READING = (
    ("faster, slower", "the interval of the ratio excludes “no change”. “Below the threshold” is added where the whole interval lies inside the threshold: real, but smaller than what was said to matter."),
    ("no difference shown", "the whole interval lies inside the threshold: a difference that matters is ruled out. It does not mean that the two are equal."),
    ("inconclusive", "the interval reaches beyond the threshold and includes “no change”: these runs cannot tell. More blocks, or a quieter machine, can."),
    ("failed", "the variant could not complete its runs, or did not read back what it had written."),
    ("ratio, interval", "variant / baseline within a block, the typical value (Hodges-Lehmann) over blocks with its exact signed-rank interval. Its level stands beside it."),
    ("block", "one timed run of every variant, next to each other in time, in random order. Timed runs carry no profiler."),
    ("control", "a variant identical to the baseline. Whatever is found between the two is noise."),
)  # fmt: skip


def reading(plan: PlanFile) -> tuple[Fact, ...]:
    """How to read the page: its words and what they mean."""
    used = {row for row in READING if row[0] != "control" or plan.controls}
    return tuple(Fact(label, value) for label, value in READING if (label, value) in used)


def verdict_views(results: Results) -> tuple[tuple[VerdictView, ...], tuple[str, ...]]:
    """Contrasts first, controls last, every workload of a contrast in turn; and what holds for all of them."""
    plan = results.plan
    ordered = sorted(plan.contrasts, key=lambda c: c.variant in plan.controls)
    made = [_view(results, contrast, workload.name) for contrast in ordered for workload in plan.workloads]
    views = [view for view in made if view is not None]
    shared = shared_notes(views)
    many = len(views) > MANY
    short = tuple(
        replace(view, notes=tuple(note for note in view.notes if note not in shared), others=() if many else view.others)
        for view in views
    )
    return short, shared


def shared_notes(views: Sequence[VerdictView]) -> tuple[str, ...]:
    """What is noted of every contrast alike is said once, below them all."""
    noted = [set(view.notes) for view in views if view.kind != "failed"]
    if len(noted) < 2:
        return ()
    return tuple(note for note in dict.fromkeys(n for view in views for n in view.notes) if all(note in n for n in noted))


def alarms(results: Results) -> tuple[str, ...]:
    """What must be read before any verdict: a control that differs from the baseline it is identical to."""
    found = [r for r in primary_rows(results) if is_control(results.plan, r) and r.excludes_no_change]
    if not found:
        return ()
    seen = words.listing([f"{_noun(row)} {_signed(row)} under `{row.workload}`" for row in found])
    names = words.listing([f"`{name}`" for name in dict.fromkeys(row.variant for row in found)])
    return (
        f"The control {names} is identical to the baseline and yet differs from it: {seen}. Something else than the "
        "variants moves these figures (or this is the one interval in twenty that does so by chance): doubt every "
        "verdict below that is of this size.",
    )


def primary_rows(results: Results) -> list[Comparison]:
    """The rows of primary metrics, in the plan's order; of all metrics where none is declared."""
    plan = results.plan
    order = {metric: i for i, metric in enumerate(plan.primary)}
    rows = [r for r in results.comparisons if not order or r.metric in order]
    return sorted(rows, key=lambda row: order.get(row.metric, 0))


def is_control(plan: PlanFile, row: Comparison) -> bool:
    return row.variant in plan.controls or row.family == "control"


def block_counts(blocks: tuple[Block, ...]) -> tuple[int, int]:
    """(blocks, voided attempts)."""
    return len(blocks), sum(len(block.voided) for block in blocks)


def _view(results: Results, contrast: ContrastPlan, workload: str) -> VerdictView | None:
    plan = results.plan
    rows = [
        row
        for row in primary_rows(results)
        if (row.baseline, row.variant, row.workload) == (contrast.baseline, contrast.variant, workload)
    ]
    if not rows:
        return None
    first, control = rows[0], contrast.variant in plan.controls
    kind, mark = MARKS.get(first.word, ("open", "?"))
    where = f", under `{workload}`" if len(plan.workloads) > 1 else ""
    short = first.word == "failed" or len(plan.contrasts) * len(plan.workloads) > MANY
    counted = "" if short else f", {tally(results, first)}"
    notes = dict.fromkeys(row.note for row in rows if row.note and row.word != "failed")
    return VerdictView(
        kind=kind,
        mark=mark,
        word=first.verdict,
        sentence=f"{'Control: ' if control else ''}{sentence(first, plan.threshold)}{where}{counted}.",
        others=tuple(words.capital(clause(row, plan.threshold)) + "." for row in rows[1:] if row.word != "failed"),
        notes=tuple(words.capital(note) + "." for note in notes),
        log=_log(results, contrast.variant) if first.word == "failed" else "",
        control=control,
    )


def tally(results: Results, row: Comparison) -> str:
    """`12 blocks, 0 voided`."""
    _, voided = block_counts(results.blocks.get(row.workload, ()))
    return f"{words.plural(row.blocks, 'block')}, {voided}{words.NBSP}voided"


def sentence(row: Comparison, threshold: float) -> str:
    """The verdict on one row as a sentence without its full stop, names between backticks."""
    variant, baseline = f"`{row.variant}`", f"`{row.baseline}`"
    match row.word:
        case "failed":
            return f"{variant} failed" + (f": {_first_line(row.note)}" if row.note else "")
        case "faster" | "slower" if words.phrase(row.metric).verb:
            size, interval = words.magnitude(row.ratio, row.low, row.high)
            compared = f"{size} as fast as" if row.ratio >= 2 and row.better == "higher" else f"{size} {row.word} than"
            return f"{variant} {words.phrase(row.metric).verb} {compared} {baseline} ({interval}{_level(row)}){_below(row)}"
        case "faster" | "slower":
            return f"{variant} against {baseline}: {clause(row, threshold)}"
        case "no difference shown":
            return f"{variant} against {baseline}: no difference shown in {_noun(row)} ({_interval(row)}, inside ±{words.percent(threshold)})"
        case _:
            return f"{variant} against {baseline}: {clause(row, threshold)}"


def clause(row: Comparison, threshold: float) -> str:
    """The verdict on one metric where the pair was named before."""
    noun = _noun(row)
    match row.word:
        case "faster" | "slower":
            spoken = words.phrase(row.metric)
            size, interval = words.magnitude(row.ratio, row.low, row.high)
            more = f"{size} as high" if row.ratio >= 2 else f"{size} {spoken.more if row.ratio > 1 else spoken.less}"
            return f"{noun} is {more} ({interval}{_level(row)}): {row.word}{_below(row)}"
        case "no difference shown":
            return f"{noun}: no difference shown ({_interval(row)}, inside ±{words.percent(threshold)})"
        case "failed":
            return f"{noun}: failed"
        case _:
            seen = f" ({_interval(row)})" if row.has_interval else ""
            return f"{noun}: {row.verdict}{seen}"


def comparison_table(results: Results, links: tuple[Link, ...]) -> Table | None:
    """Every row of comparisons.csv, the primary metrics first."""
    plan, rows = results.plan, list(results.comparisons)
    if not rows:
        return None
    order = {metric: i for i, metric in enumerate(plan.primary)}
    rows.sort(key=lambda r: (order.get(r.metric, len(order)), is_control(plan, r)))
    extras = [name for name in EXTRAS if any(row.extras.get(name) for row in rows)]
    names = ["variant", "baseline", "workload", "metric", "better", "ratio", "interval", "level", "verdict", "family", "blocks"]
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
    family = row.family or ("control" if is_control(plan, row) else "primary" if row.metric in plan.primary else "exploratory")
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
        Cell(_first_line(row.note)),
    )


def _extra(name: str, text: str) -> Cell:
    try:
        value = float(text)
    except ValueError:
        return Cell(text)
    worded = words.change(value) if name.endswith("ratio") else words.percent(value) if name.endswith("rate") else words.number(value, 2)
    return Cell(worded, text)


def _log(results: Results, variant: str) -> str:
    """Why a variant failed: its verifying run, or the first run that did not end well."""
    verify = results.verifies.get(variant)
    if verify is not None and verify.status != "ok":
        return "\n\n".join(part for part in (verify.reason or "", verify.log) if part)
    states = (b.variants.get(variant) for blocks in results.blocks.values() for b in blocks)
    return next((s.reason for s in states if s is not None and s.status != "ok" and s.reason), "")


def _first_line(text: str) -> str:
    """What a run says of its failure goes on with the last lines of its log: those stand in a box of their own."""
    return text.split("\n")[0].removesuffix(":")


def _noun(row: Comparison) -> str:
    return words.phrase(row.metric).noun


def _signed(row: Comparison) -> str:
    return f"{words.change(row.ratio)} ({words.change_interval(row.low, row.high)})"


def _interval(row: Comparison) -> str:
    return f"{words.change_interval(row.low, row.high)}{_level(row)}"


def _level(row: Comparison) -> str:
    return f", {words.level(row.level)} interval" if row.level is not None else ", interval"


def _below(row: Comparison) -> str:
    _, comma, rest = row.verdict.partition(",")
    paren = row.verdict.partition("(")[2].rstrip(")")
    added = rest.strip() if comma else paren
    return f", {added}" if added else ""

