"""Where the time of operations is, as stacked bars."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import pandas as pd

from fuselab.report import words
from fuselab.report.figures import palette
from fuselab.report.figures.base import NARROW_IN, figure, short
from fuselab.report.figures.drawing import RC, Drawing

_CAPTION = (
    "A bar is as long as the wall time that its operation took itself, in the trace: on a processor, blocked in the "
    "kernel or pushed off it, suspended at an await, and the rest. No sampler of stacks, on the processor or off it, "
    "sees what is awaiting. Unexplained: in a poll, and in no sample that bears this name. All variants have the same "
    "axis. What threads do outside every operation, waiting for work above all, is in the table alone."
)
_UNTOLD = (
    "A bar is as long as the wall time that its operation took itself, in the trace: on a processor, blocked in the "
    "kernel or pushed off it, and the rest. Poll time was not captured, so the rest may be waits at an await. All "
    "variants have the same axis."
)
_CAPPED = (
    "{mark} The captures are different runs: more time was found on and off the processor than this operation had for "
    "it in the trace, its wall time less its awaits. It is drawn scaled down to that; the table has what was found."
)
IN_FLIGHT = (
    "A bar is as long as all requests of one kind were in flight together, from when the kernel sent them until their "
    "answer: on a processor, blocked in the kernel or pushed off it, with nobody running for them (awaiting), and in "
    "the queue before the program picked them up. All variants have the same axis."
)
MARK = "*"
SAMPLED = (
    ("oncpu_ns", "on CPU", palette.ON_CPU),
    ("blocked_ns", "off CPU, blocked", palette.BLOCKED),
    ("preempted_ns", "off CPU, preempted", palette.PREEMPTED),
    ("queued_ns", "queued", palette.QUEUED),
)
"""What the samplers of stacks saw, in runs of their own; and of requests the queue."""
AWAITING = ("awaiting_ns", "awaiting", palette.AWAITING)
_REST = "rest_ns"


@dataclass(frozen=True)
class Bars:
    """What is drawn of each operation, by the index of its table."""

    widths: pd.DataFrame
    """ns of each part, none below 0. They add up to `lengths`."""
    lengths: pd.Series[float]
    """The wall time; where a table has none, all parts together."""
    capped: pd.Series[bool]
    """Whether more was sampled than fits into the wall time, beside what was awaiting."""
    polled: bool
    """Whether waits at an await are told from the rest."""


def bars(spans: pd.DataFrame) -> Bars:
    """`spans`: `wall_ns`, and as far as they were captured the columns of SAMPLED and AWAITING, all of them self."""
    sampled = spans.reindex(columns=[column for column, _, _ in SAMPLED]).fillna(0.0).clip(lower=0.0)
    awaiting = spans.reindex(columns=[AWAITING[0]])[AWAITING[0]]
    waited = awaiting.fillna(0.0).clip(lower=0.0)
    found = sampled.sum(axis=1)
    lengths = spans["wall_ns"].fillna(0.0) if "wall_ns" in spans else found + waited
    waited = waited.clip(upper=lengths)
    room = lengths - waited
    capped = found > room * (1 + 1e-9)
    drawn = sampled.mul((room / found).where(capped, 1.0), axis=0)
    rest = (room - drawn.sum(axis=1)).clip(lower=0.0)
    widths = drawn.assign(**{AWAITING[0]: waited, _REST: rest})
    return Bars(widths, lengths, capped, bool(awaiting.notna().any()))


@matplotlib.rc_context(RC)
def blind_spots(
    name: str, title: str, spans: pd.DataFrame, longest_ns: float, width_in: float, caption: str = ""
) -> Drawing:
    """Wall time of each operation, stacked by what the time was. `caption` is there where they are no spans.

    The axis ends at `longest_ns`, the same for every variant, so that bars compare between figures.
    """
    shown = bars(spans)
    rest = "unexplained" if shown.polled else "awaiting or unexplained"
    parts = [
        part
        for part in (*SAMPLED, AWAITING, (_REST, rest, palette.UNEXPLAINED))
        if shown.widths[part[0]].sum() > 0
    ]
    labels = [
        short(str(operation), 24) + (f" {MARK}" if capped else "")
        for operation, capped in zip(spans["name"], shown.capped, strict=True)
    ]
    what = "time in flight" if caption else "self time"
    made, axes = figure(width_in, 0.75 + 0.32 * len(spans) + (0.7 if width_in == NARROW_IN else 0.5))
    divisor, unit = words.scale_for("ns", longest_ns)
    left = shown.lengths * 0
    for column, label, colour in parts:
        width = shown.widths[column] / divisor
        axes.barh(range(len(spans)), width, left=left, height=0.66, color=colour.light, label=label)
        left = left + width
    axes.set_yticks(range(len(spans)), labels)
    axes.yaxis.set_tick_params(length=0, labelcolor=palette.INK.light)
    axes.invert_yaxis()
    axes.set(xlabel=f"{what} in the whole run [{unit}]", xlim=(0, longest_ns / divisor * 1.02), title=title)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    made.legend(loc="outside upper left", ncols=2 if width_in == NARROW_IN else len(parts), handlelength=1)
    alt = f"{title}: {what} by operation, stacked: " + "; ".join(
        f"{label} {words.quantity(length, 'ns')}" for label, length in zip(labels, shown.lengths, strict=True)
    )
    caption = caption or (_CAPTION if shown.polled else _UNTOLD)
    if shown.capped.any():
        caption = f"{caption} {_CAPPED.format(mark=MARK)}"
    return Drawing(name, made, _data(spans, shown), alt, caption)


def _data(spans: pd.DataFrame, shown: Bars) -> pd.DataFrame:
    """What was found, and beside it what is drawn."""
    return spans.join(shown.widths.add_prefix("drawn_"))
