"""The exact null distribution of the signed-rank sum. Standard library only.

Under the null hypothesis every difference is as likely to be positive as negative, so the sum T of the ranks
of the positive ones is a sum of independent coin flips. Ranks come doubled: mid-ranks of ties are then whole.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate


@lru_cache(maxsize=4096)
def cumulative(doubled_ranks: tuple[int, ...]) -> tuple[float, ...]:
    """P(2T <= t) for t = 0 .. sum(doubled_ranks), exact up to the rounding of the last division.

    The generating function prod(1 + x**r) is multiplied out with one big integer, its coefficients in slots
    wide enough for 2**n: a shift and an addition per rank.
    """
    count = len(doubled_ranks)
    slot_bytes = count // 8 + 1
    polynomial = 1
    for rank in doubled_ranks:
        polynomial += polynomial << (8 * slot_bytes * rank)
    size = sum(doubled_ranks) + 1
    packed = polynomial.to_bytes(size * slot_bytes, "little")
    ways = (int.from_bytes(packed[i : i + slot_bytes], "little") for i in range(0, len(packed), slot_bytes))
    return tuple(total / 2**count for total in accumulate(ways))


def untied(blocks: int) -> tuple[int, ...]:
    """The doubled ranks 2, 4, .., 2n of `blocks` differences without ties or zeros."""
    return tuple(range(2, 2 * blocks + 1, 2))


def critical(blocks: int, alpha: float) -> int:
    """Largest k with 2 P(T <= k) <= alpha for untied differences; -1 if there is none."""
    whole = cumulative(untied(blocks))[::2]
    return sum(2 * probability <= alpha for probability in whole) - 1
