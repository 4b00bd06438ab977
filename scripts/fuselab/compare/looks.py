"""Whether an experiment needs more blocks. Knows verdicts, not data."""

from __future__ import annotations

from collections.abc import Iterable

from fuselab.compare.schedule import LOOKS
from fuselab.records.comparison import INCONCLUSIVE


def next_look(blocks: int, verdicts: Iterable[str]) -> int | None:
    """The count of blocks to go on to after the look at `blocks`, or None: all decided, or it was the last
    look.

    `verdicts` are those that more blocks could change: primary, no controls, no failed variant, no metric
    that cannot be judged at all.

    Raises:
        ValueError: `blocks` is not one of the looks.
    """
    if blocks not in LOOKS:
        raise ValueError(f"looks are taken at {LOOKS} blocks, not at {blocks}")
    if all(verdict != INCONCLUSIVE for verdict in verdicts):
        return None
    return next((look for look in LOOKS if look > blocks), None)
