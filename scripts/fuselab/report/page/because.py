"""Why a variant differs, in one picture: what an operation takes on the baseline, what changed, what it takes now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fuselab.records.comparison import FASTER, SLOWER
from fuselab.records.contrast import Contrast
from fuselab.report import accounted, words, work
from fuselab.report.context import BecauseView
from fuselab.report.embed import Draws, in_both_widths
from fuselab.report.figures import base, waterfall
from fuselab.report.figures.drawing import Drawing
from fuselab.report.page import verdicts
from fuselab.report.reading import Results

MOST = 6
"""Pictures; of more contrasts those that differ most."""
_CAPTION = (
    "What one {operation} takes, {of}, and what it takes more or less of. Every bar begins where the one above ends, "
    "so that they add up. Awaiting: nobody runs for it. These are captures, which slow a program down, and have no "
    "interval: how much slower or faster it is, the verdict says."
)
_OF_SPANS, _OF_REQUESTS = "by the account of its spans", "by the time that its requests are in flight"
_REST, _UNTOLD = "unexplained", "awaiting or unexplained"


def views(results: Results) -> tuple[BecauseView, ...]:
    return tuple(
        BecauseView(cell, in_both_widths(_key(*cell), draws), places)
        for cell, draws, places in _pictures(results)
    )


def drawings(results: Results) -> Iterator[Drawing]:
    """Every figure, wide."""
    yield from (draws(_key(*cell), width_in=base.WIDE_IN) for cell, draws, _ in _pictures(results))


def _key(baseline: str, variant: str, workload: str) -> str:
    return words.slug("because", workload, variant, baseline)


def shown(results: Results) -> tuple[tuple[Contrast, str], ...]:
    """The contrasts and workloads that have a picture, in the order of their verdicts."""
    found = {}
    for row in verdicts.primary_rows(results):
        cell = Contrast(row.baseline, row.variant), row.workload
        differs = row.word in (FASTER, SLOWER) and not verdicts.is_control(results.plan, row)
        if differs and cell not in found and (sides := accounted.pair(results, *cell)):
            found[cell] = abs(sides[1].whole_ns - sides[0].whole_ns)
    largest = sorted(found, key=lambda cell: -found[cell])[:MOST]
    return tuple(cell for cell in found if cell in largest)


def _pictures(results: Results) -> Iterator[tuple[tuple[str, str, str], Draws, tuple[str, ...]]]:
    for contrast, workload in shown(results):
        sides = accounted.pair(results, contrast, workload)
        assert sides is not None  # or it is none of those that are shown
        before, after = sides
        operation = work.operation(results, workload)
        under = f", {workload}" if len(results.plan.judged) > 1 else ""
        steps = accounted.steps(before, after)
        draws = partial(
            waterfall.waterfall,
            title=f"One {operation}: {contrast.baseline} to {contrast.variant}{under}",
            sides=waterfall.Sides(contrast.baseline, contrast.variant, before.whole_ns, after.whole_ns),
            steps=steps,
            rest=_REST if "awaiting_ns" in before.captured & after.captured else _UNTOLD,
            caption=_CAPTION.format(operation=operation, of=_OF_REQUESTS if after.requests else _OF_SPANS),
            variants=base.places(results.plan.names()),
        )
        cell = (contrast.baseline, contrast.variant, workload)
        yield cell, draws, tuple(_places(results, contrast, after, steps))


def _places(
    results: Results, contrast: Contrast, after: accounted.Operation, steps: tuple[accounted.Step, ...]
) -> Iterator[str]:
    """Where the function of the largest change stands, and at which commit."""
    name = next((step.name for step in steps if step.name and after.place(step.name)), "")
    if name:
        build = results.timed_builds.get(contrast.variant)
        at = f", {words.revision(build.revision, build.dirty)}" if build and build.revision else ""
        yield f"`{name}` stands at `{after.place(name)}`{at}."
