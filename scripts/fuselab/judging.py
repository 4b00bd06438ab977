"""From metrics.csv and what happened to the blocks to comparisons.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import pandas as pd

from fuselab.compare.comparisons import compare
from fuselab.compare.design import Design, Withheld
from fuselab.measure import BlockRecord, read_verified


@dataclass(frozen=True)
class Judgement:
    """What the experiment stated beforehand: the plain data that a rule passes on."""

    experiment: str
    baseline: str
    contrasts: tuple[tuple[str, str], ...]
    workloads: tuple[str, ...]
    primary: tuple[str, ...]
    threshold: float
    blocks: int | Literal["auto"]
    controls: tuple[str, ...]
    closed_loop: tuple[str, ...]


def write_comparisons(
    judgement: Judgement, metrics: Path, blocks: Sequence[Path], verified: Sequence[Path], out: Path
) -> None:
    """Compare every contrast; a variant that failed its verifying run or a block's attempts is *failed*."""
    frame = pd.read_csv(metrics)
    compare(frame, design(judgement, blocks, verified)).to_csv(out, index=False)


def design(judgement: Judgement, blocks: Sequence[Path], verified: Sequence[Path]) -> Design:
    records = read_blocks(blocks)
    failed = [
        Withheld(f"failed its verifying run: {v.reason}", variant=v.variant)
        for v in read_verified(verified).values()
        if v.status == "failed"
    ]
    lost = {
        (name, record.workload): outcome.reason
        for record in records
        for name, outcome in record.variants.items()
        if outcome.status == "failed"
    }
    failed += [Withheld(f"failed: {reason}", variant=name, workload=w) for (name, w), reason in lost.items()]
    voided: dict[str, int] = {}
    for record in records:
        voided[record.workload] = voided.get(record.workload, 0) + len(record.voided)
    return Design(
        experiment=judgement.experiment,
        baseline=judgement.baseline,
        contrasts=judgement.contrasts,
        workloads=judgement.workloads,
        primary=judgement.primary,
        threshold=judgement.threshold,
        blocks=judgement.blocks,
        controls=judgement.controls,
        failed=tuple(failed),
        voided=voided,
        closed_loop=judgement.closed_loop,
    )


def read_blocks(folders: Sequence[Path]) -> list[BlockRecord]:
    return [
        msgspec.json.decode((folder / "block.json").read_bytes(), type=BlockRecord) for folder in folders
    ]  # fmt: skip
