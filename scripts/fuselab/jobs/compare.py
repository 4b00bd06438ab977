"""From metrics.csv and what happened to the blocks to comparisons.csv."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from fuselab.compare.comparisons import compare, decide_look
from fuselab.compare.design import Design, Failure
from fuselab.experiment.plan import CostStep
from fuselab.files import write_json
from fuselab.measuring.retries import given_up
from fuselab.queries.tables import write_metrics
from fuselab.records.outcomes import BlockRecord, rates, read_block, read_verified, standing


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
    asked: dict[str, dict[str, float]] = field(default_factory=dict)
    primary_of: dict[str, tuple[str, ...]] = field(default_factory=dict)


def write_comparisons(
    judgement: Judgement, metrics: Path, blocks: Sequence[Path], verified: Sequence[Path], out: Path
) -> None:
    """Compare every contrast; a variant that failed its verifying run or a block's attempts is *failed*."""
    compare(read_metrics(metrics), design(judgement, blocks, verified)).to_csv(out, index=False)


def read_metrics(path: Path) -> pd.DataFrame:
    """metrics.csv as `compare` takes it. Names are text even where they look like numbers or gaps: `1`, `NA`."""
    names = dict.fromkeys(("experiment", "workload", "variant", "metric", "unit", "better"), str)
    numbers = dict.fromkeys(("value", "tail_ios", "slope"), float)
    return pd.read_csv(
        path,
        dtype={**names, **numbers},
        keep_default_na=False,
        na_values={name: ["", "nan"] for name in numbers},
    )


def design(judgement: Judgement, blocks: Sequence[Path], verified: Sequence[Path]) -> Design:
    records = read_blocks(blocks)
    failed, caveats = _verifying(verified)
    lost: dict[tuple[str, str], frozenset[int]] = {}
    for name, workload, found in _series(records):
        so_far = standing(found, name)
        lost[name, workload] = frozenset(r.block for r in found if r.variants[name].status != "ok")
        if not so_far.failures:
            reasons = [r.variants[name].reason for r in found if r.variants[name].status == "failed"]
            if reasons and so_far.completed == 0:  # it was not even tried
                failed.append(Failure(f"failed: {reasons[-1]}", variant=name, workload=workload))
            continue
        rate = rates(so_far.failures, so_far.tries)
        if so_far.completed == 0 or given_up(so_far):
            failed.append(Failure(f"{rate}: {so_far.failures[-1].reason}", variant=name, workload=workload))
        else:
            caveats[name, workload] = f"{rate} ({so_far.failures[-1].line})"
    voided: dict[str, int] = {}
    for record in records:
        busy = sum(void.cause == "environment" for void in record.voided)
        voided[record.workload] = voided.get(record.workload, 0) + busy
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
        asked=judgement.asked,
        primary_of=judgement.primary_of,
        lost=lost,
        caveats=caveats,
    )


def _verifying(verified: Sequence[Path]) -> tuple[list[Failure], dict[tuple[str, str], str]]:
    """Who failed the verifying runs, and what to say of those who passed not all of them."""
    failed, caveats = [], {}
    for v in read_verified(verified).values():
        if v.status == "failed":
            failed.append(Failure(f"{v.rate}: {v.reason}", variant=v.variant))
        elif v.failures:
            caveats[v.variant, ""] = f"{v.rate} ({v.failures[-1].line})"
    return failed, caveats


def _series(records: Sequence[BlockRecord]) -> Iterator[tuple[str, str, list[BlockRecord]]]:
    """(name, workload, its blocks) of all that were to be run."""
    for workload in dict.fromkeys(record.workload for record in records):
        found = [record for record in records if record.workload == workload]
        for name in dict.fromkeys(name for record in found for name in record.variants):
            yield name, workload, [record for record in found if name in record.variants]


def read_blocks(folders: Sequence[Path]) -> list[BlockRecord]:
    return [read_block(folder) for folder in folders]


def take_look(
    judgement: Judgement, workload: str, blocks: Sequence[Path], kinds: Mapping[str, str], out: Path
) -> None:
    """Write `{"blocks": taken, "next": wanted}` to `out`: how many blocks to go on to, null if these are enough."""
    frame = _metrics(blocks, kinds, out.parent)
    wanted = decide_look(frame, design(judgement, blocks, ()), workload, len(blocks))
    write_json(out, {"blocks": len(blocks), "next": wanted})


def write_costs(
    judgement: Judgement,
    steps: Sequence[CostStep],
    blocks: Sequence[Path],
    kinds: Mapping[str, str],
    out: Path,
) -> None:
    """costs.csv: the columns of comparisons.csv, and `profiler` and `step`; every figure of the load.

    Each step is one contrast between two runs of the cost blocks: plain and compiled in, or off and on.
    """
    frame = _metrics(blocks, kinds, out.parent)
    tables = []
    for step in steps:
        asked = replace(
            judgement,
            baseline=step.before,
            contrasts=((step.before, step.after),),
            workloads=tuple(sorted(set(frame["workload"]))),
            blocks=len(blocks) // max(1, frame["workload"].nunique()),
            controls=(),
        )
        table = compare(frame, design(asked, blocks, ()))
        tables.append(table.assign(profiler=step.profiler, step=step.step))
    pd.concat(tables).to_csv(out, index=False)


def _metrics(blocks: Sequence[Path], kinds: Mapping[str, str], scratch: Path) -> pd.DataFrame:
    """The metrics of some blocks as the table that metrics.csv is."""
    with tempfile.NamedTemporaryFile(suffix=".csv", dir=scratch) as file:
        write_metrics(blocks, kinds, Path(file.name))
        return read_metrics(Path(file.name))
