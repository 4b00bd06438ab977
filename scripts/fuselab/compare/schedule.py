"""When every run happens, and how often data may be looked at. Standard library only: light code imports it.

Everything here is decided before the first run, from the seed alone: the order inside a block and fio's seed
depend on the block's number, never on how many blocks there will be, so that an experiment can be continued.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuselab.records.design import Blocks


LOOKS = (12, 20, 32)
"""Counts of blocks at which `blocks: auto` looks at the data."""

FIXED_LEVEL = 0.95
LOOK_LEVEL = 0.978
"""Of each interval where there are three looks: a false alarm at any of the three stays below 5 %."""

_SMALLEST_GROUP = 4
"""Blocks over which positions balance, at least. With two variants, groups of two blocks would make every
second block the mirror of the one before: noise with a period of two blocks then counts each pair twice."""


def _digest(*parts: object) -> int:
    """A number that every version of Python finds alike, unlike what `random` makes of a seed."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def block_order(variants: Sequence[str], block: int, seed: int) -> tuple[str, ...]:
    """The order in which `block` (from 1) runs its variants.

    Rows of random Latin squares, shuffled: over each group of consecutive blocks (as many as there are
    variants; 4 for two variants, 6 for three) every variant stands equally often at every position. The order
    in which `variants` are given does not matter.

    Raises:
        ValueError: no variants, one named twice, or a block number below 1.
    """
    if not variants or len(set(variants)) != len(variants):
        raise ValueError(f"variants must be named, each once: {list(variants)}")
    if block < 1:
        raise ValueError(f"blocks are numbered from 1, got {block}")
    count = len(variants)
    squares = _squares(count)
    group, row = divmod(block - 1, squares * count)
    place = sorted(range(squares * count), key=lambda r: _digest(seed, "row", group, r))[row]
    square, shift = divmod(place, count)
    names = sorted(variants, key=lambda name: _digest(seed, "name", group, square, name))
    shifts = sorted(range(count), key=lambda column: _digest(seed, "column", group, square, column))
    return tuple(names[(column + shift) % count] for column in shifts)


def turns(variants: Sequence[str], slices: float, seed: int) -> tuple[tuple[str, ...], ...]:
    """Rounds of turns, `slices` or a few more: each in an order of its own, over which positions balance as those of
    blocks do, so that whoever comes first (the disk has rested) is every variant equally often."""
    count = rounds(len(variants), slices)
    return tuple(block_order(variants, number, seed) for number in range(1, count + 1))


def rounds(variants: int, slices: float) -> int:
    """How many rounds of turns so many variants have: `slices` or a few more, in whole groups."""
    group = _squares(variants) * variants
    return group * max(1, math.ceil(round(slices / group, 6)))


def _squares(variants: int) -> int:
    """Latin squares in a group of consecutive blocks."""
    return -(-_SMALLEST_GROUP // variants) if variants > 1 else 1


def randseed(seed: int, workload: str, block: int) -> int:
    """fio's `randseed` for every run of one block: alike inside it, new for the next; 1 to 2**31 - 1."""
    return _digest(seed, "randseed", workload, block) % (2**31 - 1) + 1


def point_seed(seed: int, workload: str) -> int:
    """The seed of the orders of one point of a curve: what a block's order does to a ratio is not the same at all."""
    return _digest(seed, "point", workload) % (2**31 - 1) + 1


NIGHT = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
"""The name of a night, as a pattern for files."""


def night_seed(seed: int, night: str) -> int:
    """The seed of an experiment on one night of its history: offsets and orders of every night are its own."""
    return _digest(seed, "night", night) % (2**31 - 1) + 1


def level_of(blocks: Blocks) -> float:
    """Confidence level of every interval that a design shows."""
    return LOOK_LEVEL if blocks == "auto" else FIXED_LEVEL


def looks_of(blocks: Blocks) -> tuple[int, ...]:
    """Counts of blocks at which a design may judge."""
    return LOOKS if isinstance(blocks, str) else (blocks,)


def minimum_blocks(level: float) -> int:
    """Fewest blocks that have an interval of this level: with n blocks the smallest p is 2 / 2**n.

    Raises:
        ValueError: the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, got {level}")
    blocks = 1
    while 2 / 2**blocks > 1 - level:
        blocks += 1
    return blocks


def next_look(blocks: int, verdicts: Iterable[str]) -> int | None:
    """The count of blocks to go on to after the look at `blocks`, or None: all decided, or it was the last
    look.

    `verdicts` are those that more blocks could change: primary, no controls, no failed variant, no metric
    that cannot be judged at all.

    Raises:
        ValueError: `blocks` is not one of the looks.
    """
    from fuselab.records.comparison import INCONCLUSIVE

    if blocks not in LOOKS:
        raise ValueError(f"looks are taken at {LOOKS} blocks, not at {blocks}")
    if all(verdict != INCONCLUSIVE for verdict in verdicts):
        return None
    return next((look for look in LOOKS if look > blocks), None)
