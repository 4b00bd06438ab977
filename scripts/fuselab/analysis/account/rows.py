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

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from fuselab.analysis.account.captures import Captures, Sampled
from fuselab.analysis.account.duration import duration
from fuselab.analysis.account.in_flight import OfOpcode
from fuselab.analysis.spans.flame import FlameFrame
from fuselab.analysis.spans.functions import IDENTIFIER, FunctionIndex, SpanKey, known
from fuselab.analysis.spans.totals import SpanTotal, TraceTotals

OUTSIDE_SPANS = SpanKey("", "(outside any span)")
OUTSIDE_TARGET = SpanKey("", "(outside the target)")
EVIDENCE_NS = 50_000_000
"""A span that ran this long and whose name no sampled function bears was made by hand."""
LARGEST = 5

UNCOVERED = 0.01
"""Share of the time in which all requests are in flight, from which on it is said that no span covers it."""

BySpan = Mapping[SpanKey | None, int]
"""ns by innermost span; None: outside all."""


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
    place: str = ""
    """`file:line` of the span, as it was compiled; of several the first."""


@dataclass(frozen=True)
class Account:
    rows: Sequence[Row]
    """By wall time; then `(outside any span)` and `(outside the target)`."""
    trace: TraceTotals
    on_cpu_leaves: Mapping[str, int]
    """Inside spans: ns on CPU by the function that ran, or that what ran was inlined into."""
    outside_leaves: Mapping[str, int]
    """The largest functions outside every span, ns on CPU."""
    notes: Sequence[str]


def account(captures: Captures) -> Account:
    """Set the figures side by side. Pure: the same captures give the same rows."""
    trace = captures.trace
    index = FunctionIndex(span.key for span in trace.spans)
    kinds = (captures.on_cpu, captures.blocked, captures.preempted, captures.idle)
    on_cpu, blocked, preempted, idle = (_by_span(index, kind, captures.operations) for kind in kinds)
    if blocked is not None and idle is not None:
        # A span in which a thread waits for something to do is blocked by that.
        blocked = blocked + Counter({key: value for key, value in idle.items() if key is not None})
    sampled = (on_cpu, blocked, preempted)
    poll = _poll(captures)
    hosts = _hosts(captures, index, poll or {})
    guests: Counter[SpanKey] = Counter()
    for span in trace.spans:
        if poll is not None and span.key in hosts:
            guests[hosts[span.key]] += min(poll[span.key], span.wall_ns)
    rows = []
    for span in sorted(trace.spans, key=lambda span: (-span.wall_ns, span.key)):
        host = hosts.get(span.key)
        share = span.wall_ns / trace.root_wall_ns if trace.root_wall_ns else None
        row = Row(
            span.key, span.calls, span.wall_ns, share=share, merged_into=host, place=_place(span.places)
        )
        row = row if host else _with_samples(row, span.key, sampled)
        rows.append(row if poll is None else _with_poll(row, span.wall_ns, poll[span.key], guests[span.key]))
    if any(by is not None for by in sampled):
        idle_ns = None if idle is None else idle[None]
        rows.append(_with_samples(Row(OUTSIDE_SPANS, idle_ns=idle_ns), None, sampled))
    beyond, notes = _beyond_spans(captures) if captures.requests else _beyond_target(captures)
    inner, outer = _leaves(index, captures.on_cpu)
    return Account([*rows, *beyond], trace, inner, outer, notes)


def _place(places: Collection[tuple[str, int]]) -> str:
    return next((f"{file}:{line}" for file, line in sorted(places) if file and line), "")


def _by_span(
    index: FunctionIndex, sampled: Sampled | None, operations: int
) -> Counter[SpanKey | None] | None:
    """At the trace's load; None if there is nothing to scale by."""
    if sampled is None or not sampled.operations or not operations:
        return None
    sums: Counter[SpanKey | None] = Counter()
    for stack, value in sampled.folded.stacks.items():
        sums[index.innermost(stack)] += value
    return Counter({key: round(value * operations / sampled.operations) for key, value in sums.items()})


def _with_samples(row: Row, key: SpanKey | None, sampled: Sequence[BySpan | None]) -> Row:
    on_cpu, blocked, preempted = (None if by is None else by.get(key, 0) for by in sampled)
    return replace(row, oncpu_ns=on_cpu, blocked_ns=blocked, preempted_ns=preempted)


def _with_poll(row: Row, wall_ns: int, poll_ns: int, guests_ns: int) -> Row:
    """`guests_ns` are the polls of spans made by hand that are in the stacks of this one."""
    parts = (row.oncpu_ns, row.blocked_ns, row.preempted_ns)
    capped = min(poll_ns, wall_ns)
    return replace(
        row,
        poll_ns=capped,
        poll_excess_ns=poll_ns - capped,
        awaiting_ns=wall_ns - capped,
        unexplained_ns=None if None in parts else capped + guests_ns - sum(filter(None, parts)),
    )


def _poll(captures: Captures) -> Counter[SpanKey] | None:
    """Poll time by span, at the trace's load. Frames and spans meet in file, line and name."""
    polled = captures.polled
    if polled is None or not (captures.shared_run or (polled.operations and captures.operations)):
        return None
    factor = 1.0 if captures.shared_run else captures.operations / polled.operations
    sums: Counter[SpanKey] = Counter()
    for frame in polled.frames:
        key = next((span.key for span in captures.trace.spans if _same(span, frame)), None)
        if key is not None:
            sums[key] += round(frame.self_ns * factor)
    return sums


def _same(span: SpanTotal, frame: FlameFrame) -> bool:
    if not f"::{frame.path}".endswith(f"::{span.key.name}"):
        return False
    return (frame.file, frame.line) in span.places if frame.line else frame.path == str(span.key)


def _hosts(captures: Captures, index: FunctionIndex, poll: Mapping[SpanKey, int]) -> dict[SpanKey, SpanKey]:
    """Spans made by hand -> the span of the function around them."""
    sampled = [kind.folded for kind in (captures.on_cpu, captures.blocked, captures.preempted) if kind]
    names = {frame for folded in sampled for stack in folded.stacks for frame in stack}
    seen = {index.span_of(name) for name in names.union(captures.functions)}
    parents = {span.key: span.parent for span in captures.trace.spans}
    by_hand = {
        key
        for key in parents.keys() - seen
        if not IDENTIFIER.match(key.name) or (sampled and poll.get(key, 0) >= EVIDENCE_NS)
    }
    hosts = {}
    for key in by_hand:
        around, passed = parents[key], {key}
        while around in by_hand and around not in passed:
            passed.add(around)
            around = parents[around]
        if around is not None and around not in by_hand:
            hosts[key] = around
    return hosts


def _beyond_spans(captures: Captures) -> tuple[list[Row], list[str]]:
    """What was measured of it: how long requests were in flight without their outermost span, and of that queued."""
    beyond_ns = queued_ns = calls = 0
    whole_ns = sum(request.in_flight_ns for request in captures.requests)
    notes = []
    for request in captures.requests:
        roots = [root for key, root in captures.trace.roots.items() if key.name == request.opcode.lower()]
        if roots:
            wall_ns = sum(wall for _, wall in roots)
            beyond_ns += max(0, request.in_flight_ns - wall_ns)
            queued_ns += request.queued_ns
            calls += request.requests
            notes.append(_uncovered(request, sum(count for count, _ in roots), wall_ns, whole_ns))
    if not calls:
        return [], ["No outermost span is called as a request is: what they do not cover is not known."]
    notes.append(
        "Time outside the target is measured: what requests were in flight beyond their outermost spans, "
        f"{duration(queued_ns)} of it in the queue."
    )
    return [Row(OUTSIDE_TARGET, calls=calls, wall_ns=beyond_ns)], [*filter(None, notes)]


def _uncovered(request: OfOpcode, calls: int, wall_ns: int, whole_ns: int) -> str:
    """What is said where the outermost span of a request does not cover the time in which it is served; or "".

    `whole_ns` is what all requests were in flight.
    """
    served_ns = (request.in_flight_ns - request.queued_ns) / max(1, request.requests)
    covered_ns = wall_ns / max(1, calls)
    share = (served_ns - covered_ns) * request.requests / max(1, whole_ns)
    if share < UNCOVERED:
        return ""
    return (
        f"The span `{request.opcode.lower()}` does not cover its request: it lasts {duration(round(covered_ns))}, and "
        f"`{request.opcode}` is served for {duration(round(served_ns))}. What the program does in the rest, "
        f"{share:.0%} of the time in flight, is in no span."
    )


def _beyond_target(captures: Captures) -> tuple[list[Row], list[str]]:
    """fio's latency minus the wall time of the outermost span that serves it, over all operations."""
    beyond_ns, operations, notes = 0.0, 0, []
    for side in captures.fio:
        served = [wall for key, (_, wall) in captures.trace.roots.items() if key.name == side.direction]
        part_ns = side.latency_ns * side.operations - sum(served)
        if not side.operations:
            continue
        if not served:
            notes.append(
                f"No outermost span is called `{side.direction}`: time outside the target is not known."
            )
        elif part_ns < 0:
            notes.append(
                f"fio's {side.direction}s took less time than the target spent on them: the kernel answered before "
                "the target did (write-back, read-ahead), so time outside the target is not known."
            )
        else:
            beyond_ns += part_ns
            operations += side.operations
    return ([Row(OUTSIDE_TARGET, calls=operations, wall_ns=round(beyond_ns))] if operations else []), notes


def _leaves(index: FunctionIndex, on_cpu: Sampled | None) -> tuple[dict[str, int], dict[str, int]]:
    """ns on CPU by the innermost function that a reader knows, inside and outside spans; the largest first."""
    inner: Counter[str] = Counter()
    outer: Counter[str] = Counter()
    for stack, value in on_cpu.folded.stacks.items() if on_cpu else ():
        (outer if index.innermost(stack) is None else inner)[known(stack)] += value
    return dict(inner.most_common()), dict(outer.most_common(LARGEST))
