"""When a failed run is tried again, and when there is no use in it. Nothing here looks at what was measured.

A failure is a fact about a variant, and its rate is one; but each costs time, and a hang much of it. So a variant may
fail `TRIES` times in a workload until its runs are no longer repeated within their block, a hang is never repeated
there, and one that has never completed a run is given up. docs/method.md says it for readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fuselab.errors import Fault
from fuselab.records.block import Standing
from fuselab.records.design import Pair
from fuselab.records.failures import Failure

TRIES = 3
_FINAL: frozenset[Fault] = frozenset({"hung", "wrong data", "not permitted"})
"""Failures that are not repeated at once: each is a long wait, or no accident."""


def again(failures: Sequence[Failure]) -> bool:
    """Whether a run is repeated in its block. `failures`: of the variant under this load until now, in order."""
    return failures[-1].fault not in _FINAL and len(failures) < TRIES


def given_up(so_far: Standing) -> bool:
    """Whether another block would only find the same again: it never completed, or it returned wrong data."""
    wrong = any(failure.fault == "wrong data" for failure in so_far.failures)
    return wrong or (so_far.completed == 0 and len(so_far.failures) >= TRIES)


def verified_enough(tries: int, failures: Sequence[Failure]) -> bool:
    """Whether the verifying runs have said enough: one passed, or two of three did, or cannot any more."""
    wrong = any(failure.fault == "wrong data" for failure in failures)
    passed = tries - len(failures)
    return wrong or len(failures) >= 2 or passed > len(failures)


def passed(tries: int, failures: Sequence[Failure]) -> bool:
    wrong = any(failure.fault == "wrong data" for failure in failures)
    return not wrong and tries - len(failures) > len(failures)


def needed(order: Iterable[str], pairs: Sequence[Pair], lost: Iterable[str]) -> list[str]:
    """Who has to run, in `order`, if `lost` cannot: nobody whose every contrast (of `pairs`) has lost a side.

    Who is in no contrast is a control: worth running only beside one that lives.
    """
    gone = set(lost)
    alive = [pair for pair in pairs if not gone & set(pair)]
    if pairs and not alive:
        return []
    compared = {name for pair in pairs for name in pair}
    useful = {name for pair in alive for name in pair}
    return [name for name in order if name not in gone and (name in useful or name not in compared)]
