"""What an experiment decided before its first run, as far as judging it needs to know. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fuselab.compare.schedule import Blocks, level_of, looks_of

Pair = tuple[str, str]
"""(baseline, variant)."""


@dataclass(frozen=True)
class Failure:
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
class Design:
    """Contrasts and what is judged of them. `baseline` is the experiment's first variant."""

    experiment: str
    baseline: str
    contrasts: tuple[Pair, ...]
    workloads: tuple[str, ...]
    primary: tuple[str, ...]
    threshold: float = 0.05
    """Smallest change that matters, as a fraction: 0.05 is a ratio outside 0.95 to 1.05."""
    blocks: Blocks = 12
    controls: tuple[str, ...] = ()
    """A/A variants, identical to the baseline: compared with it whether or not `contrasts` says so."""
    failed: tuple[Failure, ...] = ()
    """Variants that could not complete: verification or runs. Their verdict is *failed*."""
    voided: Mapping[str, int] = field(default_factory=dict)
    """Workload -> how many blocks were voided and run again."""
    closed_loop: tuple[str, ...] = ()
    """Workloads that send a request only when the one before has been answered."""
    asked: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Workload -> metric -> the value at which the load was told to keep it (`write.iops`: its rate)."""
    primary_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Workload -> which of `primary` it will yield; all of them where nothing is said."""
    lost: Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    """(variant, workload) -> blocks in which it has no run, because it, or whoever it is compared with, failed."""
    caveats: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(variant, workload), or (variant, "") for all -> how often it failed, of one that completed other runs."""

    @property
    def level(self) -> float:
        return level_of(self.blocks)

    @property
    def looks(self) -> int:
        return len(looks_of(self.blocks))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Contrasts in order, then the controls that no contrast names."""
        added = ((self.baseline, control) for control in self.controls)
        return tuple(dict.fromkeys((*self.contrasts, *added)))

    def has_lost(self, pair: Pair, workload: str) -> frozenset[int]:
        """Blocks without a run of one side, and it is known why."""
        return frozenset().union(*(self.lost.get((name, workload), frozenset()) for name in pair))

    def is_control(self, pair: Pair) -> bool:
        """Whether a pair is identical on both sides, on purpose."""
        return all(name == self.baseline or name in self.controls for name in pair)
