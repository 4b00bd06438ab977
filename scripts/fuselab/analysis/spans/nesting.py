"""Which span is inside which, from their times alone, and the time each had to itself.

A parent is open for the whole life of its children (`tracing` keeps it open), so the parent of a span is one of
those of its root that contain it; in a program that does one thing at a time, the one that began last. Where a
request does several at once (`join!`), a span may by chance contain one it has nothing to do with. So a span is
refused as a parent where it is known to be a sibling:

- With `allowed` (pairs of places that are really nested, from tracing-flame's stacks of the same run) a parent
  must be one of those. That is exact, except that among several open calls of one place the last begun is taken.
- Without: two places are siblings if, inside one parent, a span of the one began while one of the other was open
  and outlived it, and that in at least `SIBLING_SHARE` of the cases where they overlapped. One place is a sibling
  of itself, unless its spans were nested at least `RECURSION_SPANS` times and never crossed: then it recurses.
  What is inside a refused span is refused with it. Two *different* places that always finish inside out cannot be
  told from a call, and stay one inside the other.

Arrays are one-dimensional with one entry per span, sorted by (group, start, longest first); times are ns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.columns import Bools, Ints, Keys, Rows, Sites, ranks, rows_of, starts

SIBLING_SHARE = 0.05
RECURSION_SPANS = 50
NONE = -1


@dataclass(frozen=True)
class Spans:
    group: Rows
    """Equal for spans of one root."""
    site: Sites
    start_ns: Ints
    end_ns: Ints


@dataclass(frozen=True)
class _Rules:
    """sites x sites, [container, span]: what refuses a container."""

    direct: Bools
    """It is refused itself."""
    around: Bools
    """What lies in it is refused, too."""


def ordered(group: Keys, start_ns: Ints, end_ns: Ints) -> tuple[Rows, Ints]:
    """(number of each group, order) as the functions here ask for: by group, then start, then longest first.

    Groups are numbered in the order in which they began; the numbers are in the order returned.
    """
    by_start = np.argsort(start_ns, kind="stable")
    number = ranks(group[by_start])
    by_group = np.argsort(number, kind="stable")
    order, number = by_start[by_group], number[by_group]
    same = (number[1:] == number[:-1]) & (start_ns[order[1:]] == start_ns[order[:-1]])
    if same.any():
        order = order[np.lexsort((-end_ns[order], start_ns[order], number))]
    return number, order


def parents(spans: Spans, sites: int, allowed: Bools | None) -> Rows:
    """Index of each span's parent, NONE for roots. `allowed[parent, child]` is sites x sites."""
    around = containers(spans)
    if allowed is None:
        never = siblings(spans, around, sites)
        rules = _Rules(never, never)
    else:
        direct = ~allowed
        direct[:, ~allowed.any(axis=0)] = False  # a place that flame never saw in another may be anywhere
        rules = _Rules(direct, np.zeros_like(direct))
    suspect = _suspects(spans, around, rules)
    return _resolve(spans, around, rules, suspect) if suspect.any() else around


def containers(spans: Spans) -> Rows:
    """The span that contains each and began last. (For sorted starts: the previous one with a later end.)"""
    count = len(spans.start_ns)
    found = np.arange(-1, count - 1, dtype=np.int32)
    first = starts(spans.group)
    found[first] = NONE
    todo = rows_of(~first)
    while len(todo):
        # All between found[x] and x end before x does, so x may skip whatever found[x] could skip.
        candidate = found[todo]
        todo = todo[(candidate != NONE) & (spans.end_ns[candidate] < spans.end_ns[todo])]
        found[todo] = found[found[todo]]
    return found


def siblings(spans: Spans, around: Rows, sites: int) -> Bools:
    """sites x sites: whether a span of the one place is never the parent of one of the other."""
    crossed = np.zeros(sites * sites, dtype=np.int64)
    nested = np.zeros_like(crossed)
    child = rows_of(around != NONE)
    other = child - 1
    while len(child):
        # Walk the earlier spans that end before this one does; those that end after its start cross it.
        inside = (other != NONE) & (spans.end_ns[other] < spans.end_ns[child])
        child, other = child[inside], other[inside]
        hit = (spans.end_ns[other] > spans.start_ns[child]) & (around[other] == around[child])
        crossed += _counts(spans, other[hit], child[hit], sites)
        other = around[other]
    for ancestor, child in _ancestors(around):
        nested += _counts(spans, ancestor, child, sites)
    never = (crossed > 0) & (crossed >= SIBLING_SHARE * (crossed + nested))
    itself = np.arange(sites) * (sites + 1)
    never[itself] = (crossed[itself] > 0) | (nested[itself] < RECURSION_SPANS)
    return never.reshape(sites, sites)


def _counts(spans: Spans, one: Rows, other: Rows, sites: int) -> Ints:
    """How often each pair of places meets, flat."""
    pair = spans.site[one].astype(np.int64) * sites + spans.site[other]
    return np.bincount(pair, minlength=sites * sites)


def _ancestors(around: Rows) -> Iterator[tuple[Rows, Rows]]:
    """(ancestors, spans): first every span with its container, then with that one's, until none is left."""
    child = rows_of(around != NONE)
    ancestor = around[child]
    while len(child):
        yield ancestor, child
        further = around[ancestor]
        keep = further != NONE
        ancestor, child = further[keep], child[keep]


def _suspects(spans: Spans, around: Rows, rules: _Rules) -> Bools:
    """Spans of every group in which some container is refused."""
    bad = np.zeros(len(around), dtype=np.bool_)
    table = rules.direct
    for ancestor, child in _ancestors(around):
        bad[child] |= table[spans.site[ancestor], spans.site[child]]
        table = rules.around
    number = np.cumsum(starts(spans.group)) - 1
    groups = np.zeros(number[-1] + 1 if len(number) else 0, dtype=np.bool_)
    groups[number[bad]] = True
    found: Bools = groups[number]
    return found


def _resolve(spans: Spans, around: Rows, rules: _Rules, suspect: Bools) -> Rows:
    """Go outwards from each suspect's container to the first that neither is refused nor lies in one that is.

    A candidate is judged once its own parent is settled, so the work goes in rounds, about as many as the
    stacks are deep. The first span of a group is its root, and always accepted.
    """
    parent = around.copy()
    settled = ~suspect | (around == NONE)
    candidate = around.copy()
    pending = rows_of(~settled)
    while len(pending):
        ready = pending[settled[candidate[pending]]]
        chosen = candidate[ready]
        good = (around[chosen] == NONE) | ~_refused(spans, parent, rules, ready, chosen)
        parent[ready[good]] = chosen[good]
        settled[ready[good]] = True
        moving = ready[~good]
        candidate[moving] = _next_container(spans, around, moving, candidate[moving])
        pending = pending[~settled[pending]]
    return parent


def _refused(spans: Spans, parent: Rows, rules: _Rules, child: Rows, candidate: Rows) -> Bools:
    """Whether the candidate, or a span around it, is refused to the child. The root is not: all is in it."""
    bad = rules.direct[spans.site[candidate], spans.site[child]]
    row = np.arange(len(child))
    step = parent[candidate]
    while len(row := row[(step[row] != NONE) & (parent[step[row]] != NONE)]):
        bad[row] |= rules.around[spans.site[step[row]], spans.site[child[row]]]
        step[row] = parent[step[row]]
    return bad


def _next_container(spans: Spans, around: Rows, child: Rows, current: Rows) -> Rows:
    """The container of each child that began last before `current` did."""
    found = current - 1
    row = np.arange(len(child))
    while len(row := row[spans.end_ns[found[row]] < spans.end_ns[child[row]]]):
        found[row] = around[found[row]]
    return found


def self_times(spans: Spans, parent: Rows) -> Ints:
    """Duration minus the union of the children, ns."""
    own = spans.end_ns - spans.start_ns
    child = rows_of(parent != NONE)
    child = child[np.argsort(parent[child], kind="stable")]  # by parent, starts in order
    above, start, reach = parent[child], spans.start_ns[child], spans.end_ns[child].copy()
    shift = 1
    while shift < len(child):
        # Running maximum of the ends within one parent, over twice as many siblings each time.
        same = above[shift:] == above[:-shift]
        if not same.any():
            break
        reach[shift:] = np.where(same, np.maximum(reach[shift:], reach[:-shift]), reach[shift:])
        shift *= 2
    covered_to = np.empty_like(reach)
    if len(child):
        covered_to[0] = start[0]
        same = above[1:] == above[:-1]
        covered_to[1:] = np.where(same, np.maximum(reach[:-1], start[1:]), start[1:])
        np.subtract.at(own, above, np.maximum(reach - covered_to, 0))
    return own


def paths(spans: Spans, parent: Rows) -> tuple[Sites, list[tuple[int, int]], NDArray[np.int16]]:
    """(path number, (number of the parent's path or NONE, site) of each path, depth) of each span."""
    number = np.full(len(parent), NONE, dtype=np.int32)
    depth = np.zeros(len(parent), dtype=np.int16)
    known: list[tuple[int, int]] = []
    rows = rows_of(parent == NONE)
    level = 0
    sites = int(spans.site.max(initial=0)) + 1
    below = rows_of(parent != NONE)
    while len(rows):
        above = (
            np.full(len(rows), NONE, dtype=np.int64) if level == 0 else number[parent[rows]].astype(np.int64)
        )
        keys, inverse = np.unique((above + 1) * sites + spans.site[rows], return_inverse=True)
        number[rows] = inverse + len(known)
        depth[rows] = level
        known.extend((int(key) // sites - 1, int(key) % sites) for key in keys)
        level += 1
        ready = number[parent[below]] != NONE
        rows, below = below[ready], below[~ready]
    return number, known, depth


def roots(parent: Rows) -> Rows:
    """Index of the outermost span around each; a root is its own."""
    found = np.where(parent == NONE, np.arange(len(parent), dtype=np.int32), parent)
    while True:
        further = found[found]
        if np.array_equal(further, found):
            return found
        found = further
