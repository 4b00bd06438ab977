"""Verdicts in words: one sentence per contrast and workload, from the rows of comparisons.csv."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from fuselab.compare.aa_check import check_controls
from fuselab.records.comparison import FASTER, INCONCLUSIVE, SLOWER, Comparison
from fuselab.records.contrast import Contrast
from fuselab.records.plan import PlanFile
from fuselab.report import counts, words, work
from fuselab.report.context import Link, VerdictView
from fuselab.report.page import beside
from fuselab.report.reading import Results

MARKS = {
    "faster": ("faster", "▲"),
    "slower": ("slower", "▼"),
    "no difference shown": ("none", "="),
    "inconclusive": ("open", "?"),
    "failed": ("failed", "✕"),
    "more work": ("slower", "+"),
    "less work": ("faster", words.MINUS),
    "more and less work": ("open", "±"),
}
COUNTED = ("more work", "less work", "more and less work")
_ENDS = ".:;, "
FAR = 3
"""How many times as far from no change as a control's interval reaches a difference begins that is far larger."""
MANY = 6
"""From more verdicts than this on, each says only what differs: the figure below shows the rest."""


Pictures = Mapping[tuple[str, str, str], str]
"""Baseline, variant and workload -> where on the page is seen what makes the difference."""


def verdict_views(
    results: Results, pictures: Pictures = MappingProxyType({})
) -> tuple[tuple[VerdictView, ...], tuple[str, ...]]:
    """Contrasts first, controls last, every workload of a contrast in turn; and what holds for all of them."""
    plan = results.plan
    ordered = sorted(plan.contrasts, key=lambda c: c.variant in plan.controls)
    views = [view for c in ordered for w in plan.judged for view in _views(results, c, w)]
    shared = shared_notes(views)
    many = len(views) > MANY
    short = tuple(
        replace(
            view,
            notes=tuple(note for note in view.notes if note not in shared),
            show=_show(view, pictures),
            key=f"verdict-{number}",
            others=view.others[: view.differing] if many else view.others,
        )
        for number, view in enumerate(views)
    )
    return short, shared


def _show(view: VerdictView, pictures: Pictures) -> Link | None:
    """To its picture; where it has none to what its first reason was read from."""
    href = pictures.get(view.cell) or next((link.href for _, link in view.clauses), None)
    return Link(href, "show me") if href else None


def _views(results: Results, contrast: Contrast, workload: str) -> Iterator[VerdictView]:
    """What a clock says of one contrast, with what was found beside it where it says that something differs; else what
    was counted stands alone, and of a curve that of its ends."""
    if (view := _view(results, contrast, workload)) is not None:
        yield view
    if view is None or not view.clauses:
        points = results.plan.points.get(workload, ())
        for counted in (points[0], points[-1]) if points else (workload,):
            yield from _work_view(results, contrast, counted)


def _work_view(results: Results, contrast: Contrast, workload: str) -> Iterator[VerdictView]:
    rows = work.differing(results, contrast, workload)
    if rows:
        word = rows[0].word if len({row.word for row in rows}) == 1 else "more and less work"
        kind, mark = MARKS[word]
        clauses = tuple(work.clauses(results, contrast, workload))
        yield VerdictView(
            kind=kind,
            mark=mark,
            word=word,
            sentence=f"{_control(results, contrast)}`{contrast.variant}` against `{contrast.baseline}`"
            f"{_where(results, workload)}",
            clauses=beside.strung(results, workload, clauses),
            control=contrast.variant in results.plan.controls,
            cell=(contrast.baseline, contrast.variant, workload),
        )


def found_beside(results: Results) -> tuple[str, ...]:
    """Each sentence that says more than a verdict: what was found beside it, or counted where no clock tells."""
    views, _ = verdict_views(results)
    return tuple(replace(view, tail=".").said for view in views if view.clauses)


def shared_notes(views: Sequence[VerdictView]) -> tuple[str, ...]:
    """What is noted of every contrast alike is said once, below them all. What was counted has no notes."""
    timed = [view for view in views if view.word not in COUNTED]
    noted = [set(view.notes) for view in timed if view.kind != "failed"]
    if len(noted) < 2:
        return ()
    return tuple(
        note
        for note in dict.fromkeys(n for view in views for n in view.notes)
        if all(note in n for n in noted)
    )


def alarms(results: Results) -> tuple[str, ...]:
    """What must be read before any verdict: a control that differs from the baseline it is identical to."""
    return (*_timed_alarms(results), *_counted_alarms(results))


def _counted_alarms(results: Results) -> Iterator[str]:
    for contrast in results.plan.contrasts:
        for workload in results.plan.workloads if contrast.variant in results.plan.controls else ():
            if rows := work.differing(results, contrast, workload.name):
                of = work.operation(results, workload.name)
                said = words.listing([work.clause(row, of) for row in rows[: work.MOST]])
                yield (
                    f"The control `{contrast.variant}` is identical to the baseline and yet counts differ under "
                    f"`{workload.name}`: {said}. Something else than the variants makes work: doubt what is counted."
                )


def _timed_alarms(results: Results) -> tuple[str, ...]:
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
    """The rows of primary metrics, in the plan's order, controls last; of all metrics where none is declared.

    Of a curve that of the whole.
    """
    plan = results.plan
    order = {metric: i for i, metric in enumerate(plan.primary)}
    points = {point for points in plan.points.values() for point in points}
    known = [r for r in results.comparisons if r.family != "work" and r.workload not in points]
    rows = [r for r in known if not order or r.metric in order]
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
    # What differs leads, in the order in which it was declared: it must not stand behind what is open.
    rows.sort(key=lambda row: row.word not in (FASTER, SLOWER))
    first, control = rows[0], contrast.variant in plan.controls
    kind, mark = MARKS.get(first.word, ("open", "?"))
    clauses = beside.found(results, first)
    short = control or first.word == "failed" or len(plan.contrasts) * len(plan.judged) > MANY
    counted = "" if short else f"{counts.of_row(results, first)}{_control_said(results, first)}"
    notes = longest_notes(row.note for row in rows if row.note and row.word != "failed")
    return VerdictView(
        kind=kind,
        mark=mark,
        word=first.verdict,
        sentence=f"{_control(results, contrast)}{sentence(first, plan.threshold)}{_where(results, workload)}",
        clauses=clauses,
        tail=(f"{'. ' if clauses else ', '}{counted}." if counted else ".")
        + ("" if short or clauses else _unexplained(results, first)),
        others=tuple(
            words.capital(clause(row, plan.threshold)) + "." for row in rows[1:] if row.word != "failed"
        ),
        differing=sum(row.word in (FASTER, SLOWER) for row in rows[1:]),
        notes=tuple(words.capital(note) + "." for note in notes),
        log=_log(results, contrast.variant, workload) if first.word == "failed" else "",
        by_hand=_by_hand(plan.experiment, contrast.variant) if first.word == "failed" else "",
        control=control,
        cell=(contrast.baseline, contrast.variant, workload),
        change=words.change_beside(*first.interval) if first.has_interval else "",
        interval=words.change_interval(*first.interval[1:]) if first.has_interval else "",
        noun=_noun(first),
    )


def longest_notes(notes: Iterable[str]) -> list[str]:
    """Each once, and none that another begins with: that one says it too."""
    every = dict.fromkeys(notes)
    return [note for note in every if not any(other.startswith(f"{note}; ") for other in every)]


def _unexplained(results: Results, row: Comparison) -> str:
    differs = row.word in (FASTER, SLOWER) and beside.looked(results, row)
    return " Nothing that was captured or counted explains it." if differs else ""


def _control(results: Results, contrast: Contrast) -> str:
    return "Control " if contrast.variant in results.plan.controls else ""


def _where(results: Results, workload: str) -> str:
    """`, under `seq-write`` where there are others, or of one point of a curve."""
    plan = results.plan
    if points := plan.curves.get(workload):
        return f", over the {words.plural(len(points), 'point')} of `{workload}`"
    return f", under `{workload}`" if [workload] != [*plan.judged] else ""


def _control_said(results: Results, row: Comparison) -> str:
    """`; control: no difference shown (−4.4 to +4.5 %)`: what was found in the same figure, and how far it scatters,
    where there is nothing to find."""
    controls = [
        r
        for r in results.comparisons
        if is_control(results.plan, r)
        and (r.baseline, r.workload, r.metric) == (row.baseline, row.workload, row.metric)
    ]
    found = dict.fromkeys(
        f"{r.verdict}{f' ({words.change_interval(*r.interval[1:])})' if r.has_interval else ''}"
        for r in controls
    )
    return f"; control: {words.listing(list(found))}{_in_proportion(row, controls)}" if found else ""


def _in_proportion(row: Comparison, controls: Sequence[Comparison]) -> str:
    """What an inconclusive control means for a difference that was found: little, if that is far larger."""
    ends = [end for r in controls if r.word == INCONCLUSIVE and r.has_interval for end in r.interval[1:]]
    if row.word not in (FASTER, SLOWER) or not ends:
        return ""
    noise, difference = (
        max(abs(math.log(end)) for end in ends),
        min(abs(math.log(end)) for end in row.interval[1:]),
    )
    return ", and the difference is far larger" if difference >= FAR * noise else ""


def _by_hand(experiment: str, variant: str) -> str:
    return shlex.join(["fuselab", "hold", experiment, "--variant", variant])


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
            size, interval = words.magnitude(*_spoken(row))
            figures = f"{_from_to(row)}{interval}{_level(row)}"
            return f"{variant} {verb} {_compared(row, size)} {baseline} ({figures}){added}"
        case "more work" | "less work":
            return f"{variant} against {baseline}: {work.clause(row)}, {row.verdict}"
        case "faster" | "slower":
            return f"{variant} against {baseline}: {clause(row, threshold)}"
        case "no difference shown":
            return (
                f"{variant} against {baseline}: no difference shown in {_noun(row)} {_inside(row, threshold)}"
            )
        case _:
            seen = f" ({_interval(row)})" if row.has_interval else ""
            return f"{variant} against {baseline}: {row.verdict} in {_noun(row)}{seen}"


def _spoken(row: Comparison) -> tuple[float, float, float]:
    """Ratio and interval as they are said: of a rate that falls to a fraction, how many times slower that is."""
    ratio, low, high = row.interval
    falls = row.better == "higher" and ratio < 1 and words.by_factor(ratio, low, high)
    return (1 / ratio, 1 / high, 1 / low) if falls else (ratio, low, high)


def _compared(row: Comparison, size: str) -> str:
    """A rate is compared as a rate and a time as a time: 30 % less time is not 30 % faster."""
    ratio, low, high = row.interval
    factor = words.by_factor(ratio, low, high)
    if row.better == "lower":
        more = "more" if ratio > 1 else "less"
        return f"in {size} the time of" if factor else f"in {size} {more} time than"
    return f"{size} as fast as" if factor and ratio > 1 else f"{size} {row.word} than"


def _from_to(row: Comparison) -> str:
    """`from 507 MiB/s to 84.1 MiB/s; `: what is typical of both sides, where that is known."""
    known = row.typical is not None and row.typical_baseline is not None
    return f"from {work.span(row)}; " if known else ""


def clause(row: Comparison, threshold: float) -> str:
    """The verdict on one metric where the pair was named before."""
    noun = _noun(row)
    match row.word:
        case "faster" | "slower":
            spoken, (ratio, low, high) = words.phrase(row.metric), row.interval
            size, interval = words.magnitude(*row.interval)
            more = (
                f"{size} as high"
                if words.by_factor(ratio, low, high)
                else f"{size} {spoken.more if ratio > 1 else spoken.less}"
            )
            return f"{noun} {spoken.be} {more} ({_from_to(row)}{interval}{_level(row)}): {row.verdict}"
        case "no difference shown":
            return f"{noun}: no difference shown {_inside(row, threshold)}"
        case "failed":
            return f"{noun}: failed"
        case _:
            seen = f" ({_interval(row)})" if row.has_interval else ""
            return f"{noun}: {row.verdict}{seen}"


def _log(results: Results, variant: str, workload: str) -> str:
    """Why a variant failed: a verifying run as it is mounted there, or the first run that did not end well."""
    here = {*results.plan.points.get(workload, (workload,))}
    for run, verified in results.verifies.items():
        if run.variant == variant and verified.status != "ok" and here & {*run.workloads}:
            return verified.reason or ""
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
