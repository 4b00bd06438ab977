"""What to change in the program so that its trace tells more: a span that is missing, an argument that is too much."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fuselab.analysis.account.captures import Captures
from fuselab.analysis.account.words import short
from fuselab.analysis.spans.functions import FunctionIndex, SpanKey, is_own, without_closures

if TYPE_CHECKING:
    import duckdb

WORTH_A_SPAN = 0.2
"""Of the wall time of all requests, and of a span's own time: what is blocked in it and named by no span of its own."""
TOO_MUCH = 0.5
"""Of the bytes of a trace."""
WRITTEN = 2
"""How often tracing-chrome writes the arguments of a span: with its begin and with its end."""


def missing_spans(captures: Captures) -> Iterator[str]:
    """Of spans that are blocked for long in something that has no span: what their blocked stacks name."""
    blocked, trace = captures.blocked, captures.trace
    if blocked is None or not blocked.operations or not captures.operations:
        return
    index = FunctionIndex(span.key for span in trace.spans)
    named: dict[SpanKey, Counter[str]] = {}
    for stack, value in blocked.folded.stacks.items():
        key = index.innermost(stack)
        if key is not None and (name := _called(stack, key, index)):
            named.setdefault(key, Counter())[name] += value
    scale = captures.operations / blocked.operations
    for span in sorted(trace.spans, key=lambda span: -span.wall_ns):
        if span.key not in named or span.wall_ns < WORTH_A_SPAN * max(trace.root_wall_ns, 1):
            continue
        (name, value), *_ = named[span.key].most_common()
        if value * scale >= WORTH_A_SPAN * span.wall_ns:
            share = span.wall_ns / span.whole_ns if span.whole_ns else 1.0
            yield (
                f"{min(share, 1):.0%} of `{span.key.name}` is in no child span; its blocked stacks name "
                f"`{short(name)}`: a span there would show it."
            )


def _called(stack: Sequence[str], key: SpanKey, index: FunctionIndex) -> str:
    """The first function of somebody's own that the span's function calls in this stack; "" where there is none.

    What has no module is a call of libc or of the kernel: the span around says of it all that a span could.
    """
    inside = max(number for number, frame in enumerate(stack) if index.span_of(frame) == key)
    return without_closures(next(filter(is_own, stack[inside + 1 :]), ""))


def wide_arguments(connection: duckdb.DuckDBPyConnection, trace_bytes: float) -> Iterator[str]:
    """Of the view `spans`: the span whose arguments are most of a trace of so many bytes."""
    found = connection.execute(
        f"select name, {WRITTEN} * sum(strlen(args)) bytes, arg_max(args, strlen(args)) from spans "
        "where args is not null group by target, name order by bytes desc, name limit 1"
    ).fetchone()
    if found is None or not trace_bytes or not found[1] or found[1] < TOO_MUCH * trace_bytes:
        return
    name, size, widest = found
    skip = f"skip({argument})" if (argument := _widest(widest)) else "skip(...)"
    share = min(size / trace_bytes, 1)
    yield f"The arguments of `{name}` make up {share:.0%} of the trace: `#[instrument({skip})]` leaves them out."


def _widest(args: str) -> str:
    """Name of the longest argument; "" where they are not told apart."""
    try:
        values = json.loads(args)
    except ValueError:
        return ""
    return max(values, key=lambda name: len(str(values[name]))) if isinstance(values, dict) and values else ""
