"""Where a difference arises: which of the program's own functions it is the doing of, out of a difference's stacks.

Every caller of a function that became slower has its change in its own total, and what it calls to do its work (a copy,
a sleep, an allocation) has it in its self: neither says whose it is. So a stack's change arises in its innermost own
function, together with the libraries, the runtime and the kernel that it calls from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fuselab.analysis.movers import CANNOT_TELL, STOOD_STILL
from fuselab.analysis.symbols.short import OWN, Owners, enclosing
from fuselab.report.flame import rows

_HANDED_UP = 0.1
"""Of the largest change that arises anywhere: what is less is left to the totals."""
_ALIKE = 0.9
"""Of a change of a total: those from here on are one change, which callers hand up."""


@dataclass(frozen=True)
class Arising:
    """By function: what arose there, and how deep it stands."""

    change: dict[str, float]
    """Variant less baseline, in the unit of the stacks, at the variant's load; own functions alone."""
    depth: dict[str, float]
    """Mean number of callers, weighed by what changed in its stacks."""


def arising(stacks: Path, programs: Collection[str]) -> Arising:
    """Of the folded `stacks` of a difference (baseline and variant a line), where they are.

    `programs`: what the programs looked at are called.
    """
    changes = [
        (tuple(map(enclosing, stack)), after - before)
        for stack, (before, after) in (rows(stacks) if stacks.is_file() else ())
    ]
    owners = Owners({name for stack, _ in changes for name in stack}, programs)
    own: dict[str, float] = defaultdict(float)
    depths: dict[str, float] = defaultdict(float)
    weights: dict[str, float] = defaultdict(float)
    whose: dict[str, str] = {}
    for stack, change in changes:
        innermost = next(
            (f for f in reversed(stack) if whose.setdefault(f, owners.of(f)) == OWN),
            None,
        )
        if innermost is not None:
            own[innermost] += change
        for depth, name in enumerate(stack):
            depths[name] += depth * abs(change)
            weights[name] += abs(change)
    return Arising(own, {name: depths[name] / weight for name, weight in weights.items() if weight})


def by_change(movers: pd.DataFrame, programs: Collection[str], found: Arising | None = None) -> pd.DataFrame:
    """What moved, own functions before others. Of these first those in which the change arose, the largest first;
    then, by self and total together, what hands it up, of one and the same change the nearest caller first.
    Without a word where no row can be told from noise.

    `programs`: what the programs looked at are called. `found`: of the difference's stacks, if it has some.
    """
    movers = movers[movers["moved"] != STOOD_STILL]
    owners = Owners(movers["function"].astype(str), programs)
    largest = max(map(abs, found.change.values()), default=0.0) if found else 0.0
    rows = [
        _rank(str(name), abs(own) + abs(total), owners, found, largest)
        for name, own, total in zip(
            movers["function"],
            *(_changes(movers, of) for of in ("self", "total")),
            strict=True,
        )
    ]
    ordered = movers.iloc[_nearest_first(rows)]
    return ordered.drop(columns="moved") if (ordered["moved"] == CANNOT_TELL).all() else ordered


def _changes(movers: pd.DataFrame, of: str) -> list[float]:
    column = movers.get(f"difference_{of}")
    return [0.0] * len(movers) if column is None else column.fillna(0.0).tolist()


@dataclass(frozen=True)
class _Rank:
    kind: tuple[bool, float]
    """Whether it is others', and what arose in it (negative: the largest first)."""
    change: float
    depth: float


def _rank(name: str, change: float, owners: Owners, found: Arising | None, largest: float) -> _Rank:
    arose = abs(found.change.get(name, 0.0)) if found else 0.0
    kind = (
        owners.of(name) != OWN,
        -arose if arose > _HANDED_UP * largest else 0.0,
    )
    return _Rank(kind, change, found.depth.get(name, 0.0) if found else 0.0)


def _nearest_first(rows: Sequence[_Rank]) -> list[int]:
    """The places of `rows` in their order; those of one kind with much the same change stand by their depth."""
    groups: list[list[int]] = []
    for place in sorted(range(len(rows)), key=lambda each: (rows[each].kind, -rows[each].change)):
        first = rows[groups[-1][0]] if groups else None
        if first and first.kind == rows[place].kind and rows[place].change >= _ALIKE * first.change:
            groups[-1].append(place)
        else:
            groups.append([place])
    return [place for group in groups for place in sorted(group, key=lambda each: -rows[each].depth)]
