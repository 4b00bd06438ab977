"""Verdicts in words: one sentence per contrast and workload, from the rows of comparisons.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fuselab.compare.aa_check import check_controls
from fuselab.records.comparison import Comparison
from fuselab.records.plan import Contrast, PlanFile
from fuselab.report import counts, words
from fuselab.report.context import VerdictView
from fuselab.report.reading import Results

MARKS = {
    "faster": ("faster", "▲"),
    "slower": ("slower", "▼"),
    "no difference shown": ("none", "="),
    "inconclusive": ("open", "?"),
    "failed": ("failed", "✕"),
}
_ENDS = ".:;, "
MANY = 6
"""From more verdicts than this on, each is one sentence: the figure below shows the rest."""


def verdict_views(results: Results) -> tuple[tuple[VerdictView, ...], tuple[str, ...]]:
    """Contrasts first, controls last, every workload of a contrast in turn; and what holds for all of them."""
    plan = results.plan
    ordered = sorted(plan.contrasts, key=lambda c: c.variant in plan.controls)
    made = [_view(results, contrast, workload.name) for contrast in ordered for workload in plan.workloads]
    views = [view for view in made if view is not None]
    shared = shared_notes(views)
    many = len(views) > MANY
    short = tuple(
        replace(
            view,
            notes=tuple(note for note in view.notes if note not in shared),
            others=() if many else view.others,
        )
        for view in views
    )
    return short, shared


def shared_notes(views: Sequence[VerdictView]) -> tuple[str, ...]:
    """What is noted of every contrast alike is said once, below them all."""
    noted = [set(view.notes) for view in views if view.kind != "failed"]
    if len(noted) < 2:
        return ()
    return tuple(
        note
        for note in dict.fromkeys(n for view in views for n in view.notes)
        if all(note in n for n in noted)
    )


def alarms(results: Results) -> tuple[str, ...]:
    """What must be read before any verdict: a control that differs from the baseline it is identical to."""
    check = check_controls(primary_rows(results), results.plan.primary)
    if check is None or not check.alarms:
        return ()
    seen = words.listing(
        [f"{_noun(row)} {words.estimate(*row.interval)} under `{row.workload}`" for row in check.alarms]
    )
    names = words.names(dict.fromkeys(row.variant for row in check.alarms))
    return (
        f"The control {names} is identical to the baseline and yet differs from it: {seen}. Something else than the "
        f"variants moves these figures, or it is chance (which is to be expected in {check.expected:.2g} of "
        f"{words.plural(check.total, 'such interval')}): doubt every verdict below that is of this size.",
    )


def primary_rows(results: Results) -> list[Comparison]:
    """The rows of primary metrics, in the plan's order, controls last; of all metrics where none is declared."""
    plan = results.plan
    order = {metric: i for i, metric in enumerate(plan.primary)}
    rows = [r for r in results.comparisons if not order or r.metric in order]
    return sorted(rows, key=lambda row: (is_control(plan, row), order.get(row.metric, 0)))


def is_control(plan: PlanFile, row: Comparison) -> bool:
    return row.variant in plan.controls or row.family == "control"


def _view(results: Results, contrast: Contrast, workload: str) -> VerdictView | None:
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
    short = control or first.word == "failed" or len(plan.contrasts) * len(plan.workloads) > MANY
    counted = "" if short else f", {counts.of_row(results, first)}{_control_said(results, first)}"
    notes = dict.fromkeys(row.note for row in rows if row.note and row.word != "failed")
    return VerdictView(
        kind=kind,
        mark=mark,
        word=first.verdict,
        sentence=f"{'Control ' if control else ''}{sentence(first, plan.threshold)}{where}{counted}.",
        others=tuple(
            words.capital(clause(row, plan.threshold)) + "." for row in rows[1:] if row.word != "failed"
        ),
        notes=tuple(words.capital(note) + "." for note in notes),
        log=_log(results, contrast.variant) if first.word == "failed" else "",
        control=control,
    )


def _control_said(results: Results, row: Comparison) -> str:
    """`; control: no difference shown`: what was found, in the same figure, where there is nothing to find."""
    found = [
        r.verdict
        for r in results.comparisons
        if is_control(results.plan, r)
        and (r.baseline, r.workload, r.metric) == (row.baseline, row.workload, row.metric)
    ]
    return f"; control: {words.listing(list(dict.fromkeys(found)))}" if found else ""


def sentence(row: Comparison, threshold: float) -> str:
    """The verdict on one row as a sentence without its full stop, names between backticks."""
    variant, baseline, added = f"`{row.variant}`", f"`{row.baseline}`", row.verdict.removeprefix(row.word)
    match row.word:
        case "failed":
            why = first_line(row.note)
            return (
                f"{variant} {why}"
                if why.startswith(("failed", "hung", "returned wrong data"))
                else f"{variant} failed" + (f": {why}" if why else "")
            )
        case "faster" | "slower" if verb := words.phrase(row.metric).verb:
            size, interval = words.magnitude(*row.interval)
            return f"{variant} {verb} {_compared(row, size)} {baseline} ({interval}{_level(row)}){added}"
        case "faster" | "slower":
            return f"{variant} against {baseline}: {clause(row, threshold)}"
        case "no difference shown":
            return (
                f"{variant} against {baseline}: no difference shown in {_noun(row)} {_inside(row, threshold)}"
            )
        case _:
            seen = f" ({_interval(row)})" if row.has_interval else ""
            return f"{variant} against {baseline}: {row.verdict} in {_noun(row)}{seen}"


def _compared(row: Comparison, size: str) -> str:
    """A rate is compared as a rate and a time as a time: 30 % less time is not 30 % faster."""
    ratio, _, high = row.interval
    factor = words.doubled(ratio, high)
    if row.better == "lower":
        more = "more" if ratio > 1 else "less"
        return f"in {size} the time of" if factor else f"in {size} {more} time than"
    return f"{size} as fast as" if factor else f"{size} {row.word} than"


def clause(row: Comparison, threshold: float) -> str:
    """The verdict on one metric where the pair was named before."""
    noun = _noun(row)
    match row.word:
        case "faster" | "slower":
            spoken, (ratio, _, high) = words.phrase(row.metric), row.interval
            size, interval = words.magnitude(*row.interval)
            more = (
                f"{size} as high"
                if words.doubled(ratio, high)
                else f"{size} {spoken.more if ratio > 1 else spoken.less}"
            )
            return f"{noun} is {more} ({interval}{_level(row)}): {row.verdict}"
        case "no difference shown":
            return f"{noun}: no difference shown {_inside(row, threshold)}"
        case "failed":
            return f"{noun}: failed"
        case _:
            seen = f" ({_interval(row)})" if row.has_interval else ""
            return f"{noun}: {row.verdict}{seen}"


def _log(results: Results, variant: str) -> str:
    """Why a variant failed: its verifying run, or the first run that did not end well."""
    verify = results.verifies.get(variant)
    if verify is not None and verify.status != "ok":
        return verify.reason or ""
    states = (b.variants.get(variant) for blocks in results.blocks.values() for b in blocks)
    return next((s.reason for s in states if s is not None and s.status != "ok" and s.reason), "")


def first_line(text: str) -> str:
    """What a run says of its failure goes on with the last lines of its log: those stand in a box of their own."""
    line = text.partition("\n")[0].rstrip(_ENDS).removesuffix("Its last words")
    return line.rstrip(_ENDS)


def _noun(row: Comparison) -> str:
    return words.phrase(row.metric).noun


def _interval(row: Comparison) -> str:
    return f"{words.change_interval(*row.interval[1:])}{_level(row)}"


def _inside(row: Comparison, threshold: float) -> str:
    return f"({_interval(row)}, inside ±{words.percent(threshold)})"


def _level(row: Comparison) -> str:
    return f", {words.level(row.level)} interval" if row.level is not None else ", interval"
