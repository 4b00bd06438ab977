"""What the blocks of a workload come to before they are all there. To look at it changes nothing: the rule that decides
how many blocks there are does not know that anybody has looked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab.compare.signed_rank import NoRatioError, interval
from fuselab.errors import FuselabError
from fuselab.experiment.design import design_of
from fuselab.experiment.plan import Plan
from fuselab.files import read_json
from fuselab.records.block import BlockRecord, blocks_in
from fuselab.records.places import Results, numbered
from fuselab.records.run import RunRecord, outcome_of
from fuselab.workloads.run_metrics import rows


@dataclass(frozen=True)
class SoFar:
    voided: int
    """Attempts at blocks that the machine was too busy for."""
    metric: str = ""
    variant: str = ""
    ratio: float | None = None
    """Of `metric`: the variant's against what it is compared with; None where nothing can be said yet."""

    @property
    def words(self) -> str:
        """`2 voided, write.bw of waiting x0.118 so far`; empty where there is nothing to say."""
        voided = f"{self.voided} voided" if self.voided else ""
        ratio = "" if self.ratio is None else f"{self.metric} of {self.variant} x{self.ratio:.3g} so far"
        return ", ".join(filter(None, (voided, ratio)))


class Reader:
    """Of one workload: its first contrast that is no control, by the first metric that decides. Reads each run once."""

    def __init__(self, plan: Plan, root: Path, workload: str) -> None:
        design = design_of(plan.experiment)
        self._folder = Results(root).experiment(design.experiment).blocks(workload, plan.timed_spec(workload))
        self._kind = plan.experiment.workload(workload).kind
        self._pair = next((pair for pair in design.pairs if not design.is_control(pair)), None)
        self._metric = next(iter(design.primary_of.get(workload, ())), None)
        self._values: dict[Path, float | None] = {}

    def look(self) -> SoFar:
        """At the blocks that are there now."""
        try:
            blocks = blocks_in(self._folder)
            voided = sum(block.busy for block in blocks)
            if self._pair is None or self._metric is None:
                return SoFar(voided)
            both = list(self._both(blocks, *self._pair))
            ratio = interval([one for one, _ in both], [other for _, other in both], 0.95).ratio
        except NoRatioError:
            return SoFar(voided)
        except (FuselabError, OSError, ValueError):
            return SoFar(0)  # no place to complain: whoever judges the blocks will
        return SoFar(voided, self._metric, self._pair[1], ratio)

    def _both(self, blocks: list[BlockRecord], baseline: str, variant: str) -> Iterator[tuple[float, float]]:
        for block in blocks:
            one, other = (self._value(block, name) for name in (baseline, variant))
            if one is not None and other is not None:
                yield one, other

    def _value(self, block: BlockRecord, variant: str) -> float | None:
        run = self._folder / numbered(block.block) / variant
        if variant not in block.variants or block.variants[variant].status != "ok":
            return None
        if run not in self._values:
            record = read_json(outcome_of(run) or run, RunRecord)
            found = (row.value for row in rows(run, record, self._kind) if row.name == self._metric)
            self._values[run] = next((float(value) for value in found), None)
        return self._values[run]
