"""What a trace says of each span in all: calls, self wall time, and what it is in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    whole_ns: int = 0
    """What is in its children included."""


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

    def by_span(columns: str, joins: str = "", where: str = "s.closed") -> Iterator[tuple[SpanKey, Any]]:
        """(span, values of the columns) of spans `s`, grouped."""
        sql = f"select s.target, s.name, {columns} from spans s {joins} where {where} group by all"
        for target, name, *values in connection.execute(sql).fetchall():
            yield SpanKey(target, name), values

    under: defaultdict[SpanKey, dict[SpanKey, int]] = defaultdict(dict)
    self_ns = "r.target, r.name, round(sum(s.self_us) * 1000)::bigint"
    for key, (target, name, wall_ns) in by_span(self_ns, "join spans r on s.root = r.id"):
        under[key][SpanKey(target, name)] = wall_ns
    inside: defaultdict[SpanKey, Counter[SpanKey | None]] = defaultdict(Counter)
    for key, (target, name, count) in by_span(
        "p.target, p.name, count(*)", "left join spans p on s.parent = p.id"
    ):
        parent = None if name is None else SpanKey(target, name)
        if parent != key:  # recursion says nothing about what is around
            inside[key][parent] += count
    spans = []
    calls = by_span(
        "count(*), list(distinct (coalesce(s.file, ''), coalesce(s.line, 0))), round(sum(s.dur_us) * 1000)::bigint"
    )
    for key, (count, places, whole_ns) in sorted(calls):
        ((usual, _),) = inside[key].most_common(1) or [(None, 0)]
        self_wall_ns = sum(under[key].values())
        spans.append(SpanTotal(key, frozenset(places), count, self_wall_ns, usual, under[key], whole_ns))
    whole = "count(*), round(sum(s.dur_us) * 1000)::bigint"
    roots = by_span(whole, where="s.closed and s.parent is null")
    return TraceTotals(spans, {key: (count, wall_ns) for key, (count, wall_ns) in roots})
