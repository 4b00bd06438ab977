"""Where the time of each operation is, and which profiler sees it.

Every figure is *self*, so that rows add up. Wall time comes from spans, poll time from tracing-flame, the rest from
the stacks of perf; the runs went at different speeds, so everything is brought to the operations of the trace's
own load. What follows from them:

- awaiting = wall - poll: suspended, where no sampler of stacks looks;
- unexplained = poll - on CPU - blocked - preempted, which should be near 0.

Poll above wall is an artefact of tracing-flame: it is capped, and the excess kept beside it. A span made by hand
belongs to no function, so the stacks of what runs in it carry the function around it: its on-CPU and off-CPU time
is part of that row's, and its own row says whose.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from fuselab.analysis.folded import Folded
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.functions import IDENTIFIER, FunctionIndex, SpanKey
from fuselab.analysis.spans.totals import SpanTotal, TraceTotals

OUTSIDE_SPANS = SpanKey("", "(outside any span)")
OUTSIDE_TARGET = SpanKey("", "(outside the target)")
EVIDENCE_NS = 50_000_000
"""A span that ran this long and whose name no sampled function bears was made by hand."""
LARGEST = 5


@dataclass(frozen=True)
class Sampled:
    """Stacks of one kind, and the operations of the load under which they were taken."""

    folded: Folded
    operations: int


@dataclass(frozen=True)
class Polled:
    """Poll time, and the operations of its load: those of the trace if both layers shared the run."""

    frames: Sequence[FlameFrame]
    operations: int


@dataclass(frozen=True)
class FioSide:
    """What fio saw of one direction while the trace was taken."""

    direction: str
    """`read` or `write`: also the name of the outermost span that serves it."""
    operations: int
    latency_ns: float
    """Mean, submission to completion."""


@dataclass(frozen=True)
class Captures:
    """Everything that the account is made of; what was not captured is None."""

    trace: TraceTotals
    operations: int
    """Of the load of the trace."""
    polled: Polled | None = None
    on_cpu: Sampled | None = None
    blocked: Sampled | None = None
    idle: Sampled | None = None
    """Threads that waited for something to do. Within a span, that is what blocked it."""
    preempted: Sampled | None = None
    fio: Sequence[FioSide] = ()
    functions: Collection[str] = ()
    """Names of functions in the binary, where known beyond those in the stacks."""


@dataclass(frozen=True)
class Row:
    """One line of the table; None where nothing was captured, or where it is part of another row."""

    key: SpanKey
    calls: int | None = None
    wall_ns: int | None = None
    poll_ns: int | None = None
    poll_excess_ns: int = 0
    """Poll time above wall time, cut off."""
    oncpu_ns: int | None = None
    blocked_ns: int | None = None
    preempted_ns: int | None = None
    idle_ns: int | None = None
    """Of threads outside all spans that had nothing to do: in no other figure."""
    awaiting_ns: int | None = None
    unexplained_ns: int | None = None
    share: float | None = None
    """Wall time over the summed wall time of the outermost spans."""
    merged_into: SpanKey | None = None
    """Made by hand: its on-CPU and off-CPU time is in this row."""


@dataclass(frozen=True)
class Account:
    rows: Sequence[Row]
    """By wall time; then `(outside any span)` and `(outside the target)`."""
    trace: TraceTotals
    on_cpu_leaves: Mapping[str, int]
    """Inside spans: ns on CPU by the function that ran."""
    outside_leaves: Mapping[str, int]
    """The largest functions outside every span, ns on CPU."""
    notes: Sequence[str]


def account(captures: Captures) -> Account:
    """Set the figures side by side. Pure: the same captures give the same rows."""
    trace = captures.trace
    index = FunctionIndex(span.key for span in trace.spans)
    kinds = (captures.on_cpu, captures.blocked, captures.preempted, captures.idle)
    on_cpu, blocked, preempted, idle = (_by_span(index, kind, captures.operations) for kind in kinds)
    attributed = (on_cpu, _with_idle(blocked, idle), preempted)
    poll = _poll(captures)
    hosts = _hosts(captures, index, poll)
    root_wall_ns = trace.root_wall_ns
    rows = []
    for span in trace.spans:
        row = _row(span, None if poll is None else poll.get(span.key, 0))
        if root_wall_ns:
            row = replace(row, share=span.wall_ns / root_wall_ns)
        host = hosts.get(span.key)
        rows.append(replace(row, merged_into=host) if host else _sampled(row, span.key, attributed))
    rows = _explained(rows)
    rows.sort(key=lambda row: (-(row.wall_ns or 0), row.key))
    if any(by is not None for by in attributed):
        idle_ns = None if idle is None else idle.get(None, 0)
        rows.append(_sampled(Row(OUTSIDE_SPANS, idle_ns=idle_ns), None, attributed))
    beyond, notes = _beyond_target(captures)
    inner, outer = _leaves(index, captures)
    return Account([*rows, *beyond], trace, inner, outer, notes)


def _sampled(row: Row, key: SpanKey | None, attributed: Sequence[Mapping[SpanKey | None, int] | None]) -> Row:
    on_cpu, blocked, preempted = (None if by is None else by.get(key, 0) for by in attributed)
    return replace(row, oncpu_ns=on_cpu, blocked_ns=blocked, preempted_ns=preempted)


def _by_span(
    index: FunctionIndex, sampled: Sampled | None, operations: int
) -> dict[SpanKey | None, int] | None:
    """ns by innermost span (None: outside all), at the trace's load; None if there is nothing to scale by."""
    if sampled is None or not sampled.operations or not operations:
        return None
    sums: Counter[SpanKey | None] = Counter()
    for stack, value in sampled.folded.stacks.items():
        sums[index.innermost(stack)] += value
    return {key: round(value * operations / sampled.operations) for key, value in sums.items()}


def _with_idle(
    blocked: Mapping[SpanKey | None, int] | None, idle: Mapping[SpanKey | None, int] | None
) -> Mapping[SpanKey | None, int] | None:
    """A span in which a thread waits for something to do is blocked by that."""
    if blocked is None or idle is None:
        return blocked
    inside = Counter({key: value for key, value in idle.items() if key is not None})
    return Counter(blocked) + inside


def _poll(captures: Captures) -> dict[SpanKey, int] | None:
    """Poll time by span, at the trace's load. Frames and spans meet in file, line and name."""
    polled = captures.polled
    if polled is None or not (
        polled.operations == captures.operations or (polled.operations and captures.operations)
    ):
        return None
    factor = 1.0 if polled.operations == captures.operations else captures.operations / polled.operations
    found: Counter[SpanKey] = Counter()
    for frame in polled.frames:
        for span in captures.trace.spans:
            if _same(span, frame):
                found[span.key] += round(frame.self_ns * factor)
                break
    return dict(found)


def _same(span: SpanTotal, frame: FlameFrame) -> bool:
    if not f"::{frame.path}".endswith(f"::{span.key.name}"):
        return False
    if frame.line:
        return (frame.file, frame.line) in span.places
    return frame.path == str(span.key)


def _hosts(
    captures: Captures, index: FunctionIndex, poll: Mapping[SpanKey, int] | None
) -> dict[SpanKey, SpanKey]:
    """Spans made by hand -> the span of the function around them."""
    sampled = [s.folded for s in (captures.on_cpu, captures.blocked, captures.preempted) if s is not None]
    names = {frame for folded in sampled for stack in folded.stacks for frame in stack} | set(
        captures.functions
    )
    seen = {index.span_of(name) for name in names}
    by_hand = {
        span.key
        for span in captures.trace.spans
        if span.key not in seen
        and (
            not IDENTIFIER.match(span.key.name) or (sampled and (poll or {}).get(span.key, 0) >= EVIDENCE_NS)
        )
    }
    parents = {span.key: span.parent for span in captures.trace.spans}
    hosts = {}
    for key in by_hand:
        around, passed = parents[key], {key}
        while around in by_hand and around not in passed:
            passed.add(around)
            around = parents[around]
        if around is not None and around not in by_hand:
            hosts[key] = around
    return hosts


def _row(span: SpanTotal, poll_ns: int | None) -> Row:
    row = Row(span.key, calls=span.calls, wall_ns=span.wall_ns)
    if poll_ns is None:
        return row
    capped = min(poll_ns, span.wall_ns)
    return replace(row, poll_ns=capped, poll_excess_ns=poll_ns - capped, awaiting_ns=span.wall_ns - capped)


def _explained(rows: Sequence[Row]) -> list[Row]:
    """Fill in what the stacks leave unexplained of the poll time, guests made by hand included."""
    guests: defaultdict[SpanKey, int] = defaultdict(int)
    for row in rows:
        if row.merged_into is not None:
            guests[row.merged_into] += row.poll_ns or 0
    done = []
    for row in rows:
        parts = (row.oncpu_ns, row.blocked_ns, row.preempted_ns)
        if row.poll_ns is not None and None not in parts:
            explained = sum(part or 0 for part in parts)
            row = replace(row, unexplained_ns=row.poll_ns + guests[row.key] - explained)
        done.append(row)
    return done


def _beyond_target(captures: Captures) -> tuple[list[Row], list[str]]:
    """fio's latency minus the wall time of the outermost span that serves it, over all operations."""
    beyond_ns, operations, notes = 0.0, 0, []
    for side in captures.fio:
        served = [wall for key, (_, wall) in captures.trace.roots.items() if key.name == side.direction]
        if not side.operations:
            continue
        if not served:
            notes.append(
                f"No outermost span is called `{side.direction}`: time outside the target is not known."
            )
            continue
        part_ns = side.latency_ns * side.operations - sum(served)
        if part_ns < 0:
            notes.append(
                f"fio's {side.direction}s took less time than the target spent on them: the kernel answered before "
                "the target did (write-back, read-ahead), so time outside the target is not known."
            )
            continue
        beyond_ns += part_ns
        operations += side.operations
    return ([Row(OUTSIDE_TARGET, calls=operations, wall_ns=round(beyond_ns))] if operations else []), notes


def _leaves(index: FunctionIndex, captures: Captures) -> tuple[dict[str, int], dict[str, int]]:
    """ns on CPU by leaf function, inside and outside spans; the largest first."""
    inner: Counter[str] = Counter()
    outer: Counter[str] = Counter()
    if captures.on_cpu is not None:
        for stack, value in captures.on_cpu.folded.stacks.items():
            (outer if index.innermost(stack) is None else inner)[stack[-1]] += value
    return dict(inner.most_common()), dict(outer.most_common(LARGEST))
