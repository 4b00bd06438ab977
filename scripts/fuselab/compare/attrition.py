"""What became of a design while it was carried out: who failed, and what of the others is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fuselab.compare.rates import Tally
from fuselab.records.design import Pair


@dataclass(frozen=True)
class FailedVariant:
    """A variant that could not complete, and why: in every workload, or in the one that is named."""

    reason: str
    variant: str
    workload: str = ""

    def covers(self, pair: Pair, workload: str) -> bool:
        return self.variant in pair and self.workload in ("", workload)

    def reason_for(self, pair: Pair) -> str:
        """What the row of `pair` says: a variant is not blamed for its baseline."""
        return self.reason if self.variant == pair[1] else f"its baseline, `{self.variant}`, {self.reason}"


@dataclass(frozen=True)
class Attrition:
    """What was lost on the way from the design to its metrics."""

    failed: tuple[FailedVariant, ...] = ()
    """Variants that could not complete: verification or runs. Their verdict is *failed*."""
    voided: Mapping[str, int] = field(default_factory=dict)
    """Workload -> how many blocks were voided and run again."""
    lost: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    """(variant, workload) -> blocks in which it has no run, because it, or whoever it is compared with, failed."""
    failure_rates: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(variant, workload), or (variant, "") for all -> how often it failed, of one that completed other runs."""

    tallies: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    """(variant, workload) -> in how many of its blocks a run failed: blocks do not become more because one failed."""

    def lost_by(self, pair: Pair, workload: str) -> frozenset[int]:
        """Blocks without a run of one side, and it is known why."""
        return frozenset().union(*(self.lost.get((name, workload), frozenset()) for name in pair))

    def failure(self, pair: Pair, workload: str) -> str | None:
        """Why one side has failed: the variant's own reason first."""
        reasons = [failed for failed in self.failed if failed.covers(pair, workload)]
        reasons.sort(key=lambda failed: failed.variant != pair[1])
        return reasons[0].reason_for(pair) if reasons else None


NOTHING_LOST = Attrition()
