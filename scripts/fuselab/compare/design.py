"""What an experiment decided before its first run, as far as judging it needs to know. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fuselab.compare.schedule import Blocks, level_of, looks_of

Pair = tuple[str, str]
"""(baseline, variant)."""


@dataclass(frozen=True)
class Withheld:
    """A variant that failed, or figures on which no verdict may be given: `reason` is shown to the reader.

    An empty `workload` or `metric` means every one.
    """

    reason: str
    variant: str = ""
    workload: str = ""
    metric: str = ""

    def covers(self, pair: Pair, workload: str, metric: str) -> bool:
        return (
            (not self.variant or self.variant in pair)
            and self.workload in ("", workload)
            and self.metric in ("", metric)
        )


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
    failed: tuple[Withheld, ...] = ()
    """Variants that could not complete: verification or runs. Their verdict is *failed*."""
    doubts: tuple[Withheld, ...] = ()
    """Gates that were not passed. The verdict is *inconclusive*; the interval is shown."""
    voided: Mapping[str, int] = field(default_factory=dict)
    """Workload -> how many blocks were voided and run again."""
    closed_loop: tuple[str, ...] = ()
    """Workloads that send a request only when the one before has been answered."""

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

    def is_control(self, pair: Pair) -> bool:
        """Whether a pair is identical on both sides, on purpose."""
        return all(name == self.baseline or name in self.controls for name in pair)
