"""What a trace says of each span in all: calls, self wall time, and what it is in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuselab.analysis.spans.functions import SpanKey

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class SpanTotal:
    """All spans of one key."""

    key: SpanKey
    places: frozenset[tuple[str, int]]
    """File and line."""
    calls: int
    """Spans closed."""
    wall_ns: int
    """Self."""
    parent: SpanKey | None
    """The key it is most often in."""
    under: Mapping[SpanKey, int]
    """Self wall time by the outermost span around it."""


@dataclass(frozen=True)
class TraceTotals:
    spans: Sequence[SpanTotal]
    roots: Mapping[SpanKey, tuple[int, int]]
    """Outermost spans: (calls, whole duration in ns)."""

    @property
    def root_wall_ns(self) -> int:
        return sum(wall for _, wall in self.roots.values())


def read_totals(connection: duckdb.DuckDBPyConnection) -> TraceTotals:
    """Totals of the table or view `spans`. Spans that the trace ends in are left out."""
    query = connection.execute
    places: defaultdict[SpanKey, set[tuple[str, int]]] = defaultdict(set)
    calls: Counter[SpanKey] = Counter()
    under: defaultdict[SpanKey, dict[SpanKey, int]] = defaultdict(dict)
    inside: defaultdict[SpanKey, Counter[SpanKey | None]] = defaultdict(Counter)
    rows = query(
        "select target, name, coalesce(file, ''), coalesce(line, 0) from spans where closed group by all"
    )
    for target, name, file, line in rows.fetchall():
        places[SpanKey(target, name)].add((file, line))
    rows = query(
        "select s.target, s.name, r.target, r.name, count(*), round(sum(s.self_us) * 1000)::bigint "
        "from spans s join spans r on s.root = r.id where s.closed group by all"
    )
    for target, name, root_target, root_name, count, self_ns in rows.fetchall():
        calls[SpanKey(target, name)] += count
        under[SpanKey(target, name)][SpanKey(root_target, root_name)] = self_ns
    rows = query(
        "select s.target, s.name, p.target, p.name, count(*) "
        "from spans s left join spans p on s.parent = p.id where s.closed group by all"
    )
    for target, name, parent_target, parent_name, count in rows.fetchall():
        parent = None if parent_name is None else SpanKey(parent_target, parent_name)
        if parent != SpanKey(target, name):  # recursion says nothing about what is around
            inside[SpanKey(target, name)][parent] += count
    rows = query(
        "select target, name, count(*), round(sum(dur_us) * 1000)::bigint "
        "from spans where parent is null and closed group by all"
    )
    roots = {SpanKey(target, name): (count, wall) for target, name, count, wall in rows.fetchall()}
    spans = [
        SpanTotal(
            key, frozenset(places[key]), count, sum(under[key].values()), _usual(inside[key]), under[key]
        )
        for key, count in sorted(calls.items())
    ]
    return TraceTotals(spans, roots)


def _usual(parents: Counter[SpanKey | None]) -> SpanKey | None:
    return parents.most_common(1)[0][0] if parents else None
