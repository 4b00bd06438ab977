"""Folded stacks as a page carries them: a tree, of which `flame.js` draws every view.

JSON with `unit`, `names` (full name, short name, whose it is), and, for each node in the order of a walk that goes down
first: `depth`, `name` (a place in `names`), `value` (of the node itself, without what is below it), and of a difference
`before`, the baseline's. Shared callers stand once, so a hundred thousand stacks take a few bytes each.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from fuselab.analysis.symbols.short import Owners, label


def packed(path: Path, unit: str, programs: Collection[str]) -> str:
    """The stacks of `path`, with one value a line or, of a difference, two (baseline, variant), in `unit`.

    `programs`: what the programs looked at are called, which tells own functions from others. Raises ValueError for
    what is no folded line.
    """
    found = sorted(rows(path))
    counts = len(found[0][1]) if found else 1
    names: dict[str, int] = {}
    columns: list[list[int]] = [[], [], *([] for _ in range(counts))]
    above: tuple[str, ...] = ()
    for stack, values in found:
        shared = next((i for i, (a, b) in enumerate(zip(above, stack, strict=False)) if a != b), len(above))
        for depth in range(min(shared, len(stack)), len(stack)):
            for column, value in zip(
                columns, (depth, names.setdefault(stack[depth], len(names)), *[0] * counts), strict=True
            ):
                column.append(value)
        for column, value in zip(columns[2:], values, strict=True):
            column[-1] += value
        above = stack
    owners = Owners(names, programs)
    said = [(name, label(name), owners.of(name)) for name in names]
    return json.dumps(
        {"unit": unit, "names": said, **dict(zip(_COLUMNS[counts], columns, strict=True))},
        ensure_ascii=False,
        separators=(",", ":"),
    )


_COLUMNS = {1: ("depth", "name", "value"), 2: ("depth", "name", "before", "value")}


def rows(path: Path) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The stacks of a folded file, the outermost frame first, with the values of each. Raises ValueError."""
    found = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            stack, *counts = _split(line.rstrip("\n"))
            if stack:
                found.append((tuple(stack.split(";")), tuple(round(float(count)) for count in counts)))
    return found


def _split(line: str) -> list[str]:
    """The stack and its counts: no frame ends in a number behind a blank (`safe_frame`), so what does is a count."""
    stack, _, last = line.rpartition(" ")
    head, _, before = stack.rpartition(" ")
    return [head, before, last] if head and before.replace(".", "", 1).isdigit() else [stack, last]
