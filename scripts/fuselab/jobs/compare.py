"""From metrics.csv and what happened to the blocks to comparisons.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.compare.comparisons import frame, judge
from fuselab.measuring.retries import given_up
from fuselab.records.block import BlockRecord, read_block, standing
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design
from fuselab.records.failures import rates
from fuselab.records.metrics import Sample
from fuselab.records.table import read_rows, write_rows
from fuselab.records.verified import read_verified


def write_comparisons(
    design: Design, metrics: Path, blocks: Iterable[Path], verified: Iterable[Path], out: Path
) -> None:
    """Compare every contrast; a variant that failed its verifying run or a block's attempts is *failed*."""
    samples = frame(read_rows(metrics, Sample))
    write_rows(out, Comparison, judge(samples, design, attrition(blocks, verified)))


def attrition(blocks: Iterable[Path], verified: Iterable[Path]) -> Attrition:
    """What was lost on the way, from the records of blocks and of verifying runs."""
    records = [read_block(folder) for folder in blocks]
    failed, failure_rates = _verifying(verified)
    lost: dict[tuple[str, str], frozenset[int]] = {}
    for name, workload, own in _series(records):
        so_far = standing(own, name)
        lost[name, workload] = frozenset(r.block for r in own if r.variants[name].status != "ok")
        if not so_far.failures:
            reasons = [r.variants[name].reason for r in own if r.variants[name].status == "failed"]
            if reasons and so_far.completed == 0:  # it was not even tried
                failed.append(FailedVariant(f"failed: {reasons[-1]}", name, workload))
            continue
        rate, last = rates(so_far.failures, so_far.tries), so_far.failures[-1]
        if so_far.completed == 0 or given_up(so_far):
            failed.append(FailedVariant(f"{rate}: {last.reason}", name, workload))
        else:
            failure_rates[name, workload] = f"{rate} ({last.line})"
    voided: Counter[str] = Counter()
    for record in records:
        voided[record.workload] += record.busy
    return Attrition(tuple(failed), voided, lost, failure_rates)


def _verifying(folders: Iterable[Path]) -> tuple[list[FailedVariant], dict[tuple[str, str], str]]:
    """Who failed the verifying runs, and what to say of those who passed not all of them."""
    failed, failure_rates = [], {}
    for v in read_verified(folders).values():
        if v.status == "failed":
            failed.append(FailedVariant(f"{v.rate}: {v.reason}", v.variant))
        elif v.failures:
            failure_rates[v.variant, ""] = f"{v.rate} ({v.failures[-1].line})"
    return failed, failure_rates


def _series(records: Sequence[BlockRecord]) -> Iterator[tuple[str, str, list[BlockRecord]]]:
    """(name, workload, its blocks) of all that were to be run."""
    series: dict[str, dict[str, list[BlockRecord]]] = {}
    for record in records:
        for name in record.variants:
            series.setdefault(record.workload, {}).setdefault(name, []).append(record)
    for workload, names in series.items():
        yield from ((name, workload, own) for name, own in names.items())
