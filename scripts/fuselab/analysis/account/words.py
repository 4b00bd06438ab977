"""An account in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fuselab.analysis.account.captures import Captures
from fuselab.analysis.account.duration import duration
from fuselab.analysis.account.rows import LARGEST, OUTSIDE_SPANS, OUTSIDE_TARGET, Account, Row
from fuselab.analysis.spans.functions import SpanKey

WORTH_SAYING = 0.1
"""A wait of a smaller share than this of the requests it is in hides nothing."""
WORTH_A_WORD = 0.01
"""Of the wall time of all requests: rows that are smaller are not spoken of one by one."""
MOST = 0.5
SHOWN_IN_PLACE = 2


@dataclass(frozen=True)
class Wait:
    """The span that waits most, seen from the request it is part of."""

    row: Row
    root: SpanKey
    share: float
    """Of the wall time of those requests, in requests of this kind."""
    share_of_all: float
    """Of the wall time of all requests, for the waits in requests of every kind."""


def largest_wait(account: Account) -> Wait | None:
    """The largest time suspended at an await; None where poll time was not captured."""
    waits = [row for row in account.rows if row.awaiting_ns is not None]
    if not waits:
        return None
    row = max(waits, key=lambda row: (row.awaiting_ns or 0, row.key))
    under = next(span.under for span in account.trace.spans if span.key == row.key)
    root = max(under, key=lambda key: (under[key], key))
    awaiting_ns = row.awaiting_ns or 0
    in_root_ns = round(awaiting_ns * under[root] / max(sum(under.values()), 1))
    _, root_wall_ns = account.trace.roots.get(root, (0, 0))
    all_ns = account.trace.root_wall_ns
    share = in_root_ns / root_wall_ns if root_wall_ns else 0.0
    return Wait(row, root, share, awaiting_ns / all_ns if all_ns else 0.0)


def headline(account: Account, polled_by: str = "a profiler of it") -> str:
    """One sentence or two: where the largest wait is that no on-CPU profile shows, and what shows in its place.

    `polled_by` is who captures poll time.
    """
    wait = largest_wait(account)
    if wait is None:
        return (
            f"Poll time was not captured, so waits cannot be told from work: that takes {polled_by} in the trace's "
            "capture."
        )
    if min(wait.share, wait.share_of_all) < WORTH_SAYING:
        return (
            f"No large wait hides from on-CPU profiles: the longest, in `{wait.row.key.name}`, is "
            f"{wait.share:.0%} of the wall time of `{wait.root.name}` and {wait.share_of_all:.0%} of that of all "
            "requests."
        )
    return " ".join(_sentences(account, wait))


def _sentences(account: Account, wait: Wait) -> Iterator[str]:
    row = wait.row
    most = "Most" if wait.share > MOST else "Part"
    calls, awaiting_ns = row.calls or 1, row.awaiting_ns or 0
    in_calls = "one call" if calls == 1 else f"{calls} calls, {duration(round(awaiting_ns / calls))} each"
    where = "in its own awaits" if row.key == wait.root else f"in `{row.key.name}` (`{row.key.target}`)"
    yield (
        f"{most} of the wall time of `{wait.root.name}`, {wait.share:.0%}, is a wait {where} that the on-CPU "
        f"flamegraph does not show: {duration(awaiting_ns)} in {in_calls}."
    )
    if row.oncpu_ns is not None:
        yield in_its_place(row.key.name, row.oncpu_ns, account.on_cpu_leaves)


def in_its_place(name: str, oncpu_ns: int, leaves: Mapping[str, int]) -> str:
    """What an operation has on the CPU, and what the on-CPU flamegraph shows; `leaves` are largest first."""
    whole, spent = sum(leaves.values()), f"On the CPU `{name}` has {duration(oncpu_ns)}"
    if not whole:
        return f"{spent}."
    shown = list(leaves.items())[:SHOWN_IN_PLACE]
    names = " and ".join(f"`{short(function)}` ({value / whole:.0%})" for function, value in shown)
    return f"{spent}; the flamegraph shows {names} in its place."


def notes(captures: Captures, account: Account) -> list[str]:
    """What a reader of the table must know."""
    said = [
        "Shares are of the summed wall time of outermost spans; spans that overlap add up to more than elapsed."
    ]
    kinds = {
        "poll time": captures.polled,
        "on-CPU time": captures.on_cpu,
        "blocked time": captures.blocked,
    }
    missing = [kind for kind, found in kinds.items() if found is None]
    if missing:
        said.append(f"Not captured: {', '.join(missing)}.")
    unscaled = [
        kind
        for kind, found in kinds.items()
        if found is not None
        and not found.operations
        and not (captures.shared_run and found is captures.polled)
    ]
    if unscaled or not captures.operations:
        said.append(
            "A load without a count of operations cannot be brought to the speed of another run: "
            f"{', '.join(unscaled) or 'the trace'}."
        )
    large = [row for row in account.rows if (row.share or 0) >= WORTH_A_WORD]
    excess = [row for row in large if row.poll_excess_ns > 0.05 * max(row.wall_ns or 0, 1)]
    if excess:
        said.append(
            f"tracing-flame charged idle time to {_listed(excess)}: poll time is cut off at wall time there."
        )
    unexplained = [row for row in large if abs(row.unexplained_ns or 0) > 0.2 * max(row.wall_ns or 0, 1)]
    if unexplained:
        said.append(
            f"Poll time of {_listed(unexplained)} is not explained by the stacks: writing the trace takes time "
            "itself, which the runs under perf do not spend, and the runs differ."
        )
    if account.outside_leaves:
        names = ", ".join(f"`{short(name)}`" for name in account.outside_leaves)
        said.append(f"The largest functions outside any span: {names}.")
    return [*said, *account.notes]


def _listed(rows: Sequence[Row]) -> str:
    names = [f"`{row.key}`" for row in rows if row.key not in (OUTSIDE_SPANS, OUTSIDE_TARGET)]
    more = f" and {len(names) - LARGEST} more" if len(names) > LARGEST else ""
    return ", ".join(names[:LARGEST]) + more


def short(function: str) -> str:
    """The last two segments of a path that has no generic arguments, else the whole."""
    return function if "<" in function else "::".join(function.split("::")[-2:])
