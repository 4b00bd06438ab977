"""Runs that a variant did not complete, and how often: a fact about the variant, which has a rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fuselab.errors import Fault


@dataclass(frozen=True)
class Failure:
    """A run that the variant did not complete. `reason` is for people, its first line can stand alone."""

    fault: Fault
    reason: str

    @property
    def line(self) -> str:
        return self.reason.partition("\n")[0].rstrip(":")


_WORDS: dict[Fault, str] = {"hung": "hung", "wrong data": "returned wrong data"}


def rates(failures: Sequence[Failure], tries: int, noun: str = "runs") -> str:
    """`hung in 2 of 9 runs, failed in 1`; of a single try `hung in its only run`."""
    (first, count), *others = Counter(_WORDS.get(failure.fault, "failed") for failure in failures).items()
    if tries == 1:
        return f"{first} in its only {noun.removesuffix('s')}"
    return ", ".join([f"{first} in {count} of {tries} {noun}", *(f"{word} in {n}" for word, n in others)])
