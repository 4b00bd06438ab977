"""Guards in words: what may be how much worse, what it is, and whether that is accepted."""

from __future__ import annotations

from fuselab.records.comparison import BROKEN, HOLDS, UNTOLD, Comparison
from fuselab.records.plan import AcceptPlan, PlanFile
from fuselab.report import words, work
from fuselab.report.context import GuardView
from fuselab.report.page.verdicts import first_line
from fuselab.report.reading import Results
from fuselab.workloads import quantity

_MARKS = {HOLDS: ("none", "="), BROKEN: ("slower", "▼"), UNTOLD: ("open", "?")}
_BOUNDS = {HOLDS: "at worst", BROKEN: "at best", UNTOLD: "at worst"}


def rows(results: Results) -> list[Comparison]:
    """Those that guards are on; of counters the ones that tell most first."""
    return sorted((row for row in results.comparisons if row.guard is not None), key=work.order)


def views(results: Results) -> tuple[GuardView, ...]:
    """One line a guard, contrast and load: what is broken first."""
    order = (BROKEN, UNTOLD, HOLDS)
    found = sorted(rows(results), key=lambda row: order.index(row.guard_outcome))
    return tuple(GuardView(*_MARKS[r.guard_outcome], r.guard_outcome, sentence(results, r)) for r in found)


def accepted(plan: PlanFile, row: Comparison) -> str:
    """Why a change alarms nobody, and until when; empty where no acceptance is of it, or it is over."""
    of = _acceptances(plan, row)
    return next((f"accepted until {each.until}: {each.reason}" for each in of if not each.over), "")


def _acceptances(plan: PlanFile, row: Comparison) -> list[AcceptPlan]:
    return [each for each in plan.accepted if each.is_of(row.metric, row.variant, row.workload)]


def sentence(results: Results, row: Comparison) -> str:
    """`new` against `old`: guard on p99, at most 25 % higher: holds (+2 %, at worst +7 %, 95 % bound)."""
    limit = _limit(row)
    said = (
        f"`{row.variant}` against `{row.baseline}`, under `{row.workload}`: {words.phrase(row.metric).noun}, "
    )
    return f"{said}{limit}: {row.guard_outcome}{_figures(row)}{_acceptance(results.plan, row)}."


def _limit(row: Comparison) -> str:
    phrase = words.phrase(row.metric)
    if not row.guard:
        return f"not {phrase.more}"
    return f"at most {words.percent(row.guard)} {phrase.less if row.better == 'higher' else phrase.more}"


def _figures(row: Comparison) -> str:
    """What it was, and the bound that decides, where there is one: in percent, as the limit is."""
    if row.guard_bound is not None and row.ratio is not None and row.level is not None:
        was, bound = (words.percent(ratio - 1, signed=True) for ratio in (row.ratio, row.guard_bound))
        return f" ({was}; {_BOUNDS[row.guard_outcome]} {bound}, {words.level(row.level)} bound)"
    if quantity(row.metric).counted and row.typical is not None:
        return f" ({work.span(row)})"
    return f" ({first_line(row.note)})" if row.note else ""


def _acceptance(plan: PlanFile, row: Comparison) -> str:
    if row.guard_outcome == HOLDS:
        return ""
    if text := accepted(plan, row):
        return f"; {text}"
    of = _acceptances(plan, row)
    return f"; was accepted until {of[0].until}, which is over" if of else ""
