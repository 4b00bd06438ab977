"""Where the time of operations is, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping
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
    "sees what is awaiting. Unexplained: in a poll, and in no sample that bears this name. What threads do outside "
    "every operation, waiting for work above all, is in the table alone."
)
_UNTOLD = (
    "A bar is as long as the wall time that its operation took itself, in the trace: on a processor, blocked in the "
    "kernel or pushed off it, and the rest. Poll time was not captured, so the rest may be waits at an await."
)
_CAPPED = (
    "{mark} The captures are different runs: more time was found on and off the processor than this operation had for "
    "it in the trace, its wall time less its awaits. It is drawn scaled down to that; the table has what was found."
)
IN_FLIGHT = (
    "A bar is as long as all requests of one kind were in flight together, from when the kernel sent them until their "
    "answer: on a processor, blocked in the kernel or pushed off it, with nobody running for them (awaiting), and in "
    "the queue before the program picked them up."
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
def operations(
    name: str, sides: Mapping[str, pd.DataFrame], per: str, width_in: float, caption: str = ""
) -> Drawing:
    """Each operation with a bar for each variant that has it, stacked by what its time was.

    `sides` has the same operations of every variant, in one order; what a variant has not is of length 0. Times are
    those of `per`: `for each write`. `caption` is there where rows are no spans.
    """
    drawn = {variant: bars(spans) for variant, spans in sides.items()}
    names = [str(each) for each in next(iter(sides.values()))["name"]]
    longest_ns = max(float(shown.lengths.max()) for shown in drawn.values())
    polled, capped = all(b.polled for b in drawn.values()), any(b.capped.any() for b in drawn.values())
    rest = "unexplained" if polled else "awaiting or unexplained"
    parts = [
        part
        for part in (*SAMPLED, AWAITING, (_REST, rest, palette.UNEXPLAINED))
        if any(shown.widths[part[0]].sum() > 0 for shown in drawn.values())
    ]
    what = "time in flight" if caption else "self time"
    divisor, unit = words.scale_for("ns", longest_ns)
    pitch = len(drawn) + 1  # a heading, and a bar for each variant
    narrow = width_in == NARROW_IN
    made, axes = figure(width_in, 0.75 + 0.23 * pitch * len(names) + (0.7 if narrow else 0.5))
    labels = []
    for i, (variant, shown) in enumerate(drawn.items()):
        places, left = [number * pitch + i + 1 for number in range(len(names))], shown.lengths * 0
        for column, label, colour in parts:
            width = shown.widths[column] / divisor
            axes.barh(places, width, left=left, height=0.74, color=colour.light, label="" if i else label)
            left = left + width
        for number, place in enumerate(places):
            axes.annotate(
                _said(shown, number), (shown.lengths.iloc[number] / divisor, place), xytext=(4, 0),
                textcoords="offset points", va="center",
                fontsize=7.5, color=palette.MUTED.light,
            )  # fmt: skip
            labels.append((place, short(variant, 14 if narrow else 28)))
    for number, operation in enumerate(names):
        axes.text(
            0, number * pitch + 0.1, f" {short(operation, 44)}", va="center", weight="bold", fontsize=8.5
        )
    axes.set_yticks([place for place, _ in labels], [label for _, label in labels])
    axes.yaxis.set_tick_params(length=0)
    room = 1.3 if narrow else 1.1
    axes.set(xlabel=f"{what} {per} [{unit}]", xlim=(0, longest_ns / divisor * room))
    axes.set_ylim(len(names) * pitch - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    made.legend(loc="outside upper left", ncols=2 if narrow else len(parts), handlelength=1)
    alt = f"{words.capital(what)} {per}, by operation and variant, stacked: " + "; ".join(
        f"{operation}: " + ", ".join(f"{v} {_said(b, number)}" for v, b in drawn.items())
        for number, operation in enumerate(names)
    )
    said = [caption or (_CAPTION if polled else _UNTOLD), _CAPPED.format(mark=MARK) if capped else ""]
    data = pd.concat(
        [_data(sides[variant], shown).assign(variant=variant) for variant, shown in drawn.items()]
    )
    return Drawing(name, made, data, alt, " ".join(filter(None, said)))


def _said(shown: Bars, number: int) -> str:
    mark = f" {MARK}" if shown.capped.iloc[number] else ""
    return words.quantity(float(shown.lengths.iloc[number]), "ns") + mark


def _data(spans: pd.DataFrame, shown: Bars) -> pd.DataFrame:
    """What was found, and beside it what is drawn."""
    return spans.join(shown.widths.add_prefix("drawn_"))
