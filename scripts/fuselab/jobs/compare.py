"""From metrics.csv and what happened to the blocks to comparisons.csv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fuselab.compare.attrition import Attrition, FailedVariant
from fuselab.compare.comparisons import frame, judge
from fuselab.compare.rates import Tally
from fuselab.measuring.retries import given_up
from fuselab.records.block import BlockRecord, failures_of, read_block, standing
from fuselab.records.comparison import Comparison
from fuselab.records.design import Design
from fuselab.records.failures import rates
from fuselab.records.metrics import Sample
from fuselab.records.plan import Verifying
from fuselab.records.table import read_rows, write_rows
from fuselab.records.verified import Verified, verified_runs


def write_comparisons(
    design: Design,
    metrics: Path,
    blocks: Iterable[Path],
    verified: Collection[Path],
    verifying: Iterable[Verifying],
    out: Path,
) -> None:
    """Compare every contrast; a variant that failed its verifying run or a block's attempts is *failed*.

    `verifying` says under which loads the runs in the folders `verified` count.
    """
    samples = frame(read_rows(metrics, Sample))
    lost = attrition(blocks, verified_runs(verified, verifying), design.workloads)
    write_rows(out, Comparison, judge(samples, design, lost))


def attrition(
    blocks: Iterable[Path], verified: Mapping[Verifying, Verified], workloads: Collection[str]
) -> Attrition:
    """What was lost on the way, from the records of blocks and of verifying runs; `workloads` are all there are."""
    records = [read_block(folder) for folder in blocks]
    failed, failure_rates = _verifying(verified, workloads)
    tallies: dict[tuple[str, str], Tally] = {}
    lost: dict[tuple[str, str], frozenset[int]] = {}
    for name, workload, own in _series(records):
        so_far = standing(own, name)
        tallies[name, workload] = _tally(own, name)
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
    return Attrition(tuple(failed), voided, lost, failure_rates, tallies)


def _tally(blocks: Sequence[BlockRecord], name: str) -> Tally:
    """Of the blocks in which `name` was run at all: in how many a run of it failed."""
    tried = [block for block in blocks if block.variants[name].tries]
    return Tally(sum(bool(failures_of(name, block.voided)) for block in tried), len(tried))


def _verifying(
    verified: Mapping[Verifying, Verified], workloads: Collection[str]
) -> tuple[list[FailedVariant], dict[tuple[str, str], str]]:
    """Who failed the verifying runs, and what to say of those who passed not all of them."""
    failed: list[FailedVariant] = []
    failure_rates: dict[tuple[str, str], str] = {}
    for run, v in verified.items():
        under = run.only(workloads) or ("",)
        if v.status == "failed":
            failed += [FailedVariant(f"{v.rate}: {v.reason}", v.variant, workload) for workload in under]
        elif v.failures:
            said = f"{v.rate} ({v.failures[-1].line})"
            failure_rates |= {(v.variant, workload): said for workload in under}
    return failed, failure_rates


def _series(records: Sequence[BlockRecord]) -> Iterator[tuple[str, str, list[BlockRecord]]]:
    """(name, workload, its blocks) of all that were to be run."""
    series: dict[str, dict[str, list[BlockRecord]]] = {}
    for record in records:
        for name in record.variants:
            series.setdefault(record.workload, {}).setdefault(name, []).append(record)
    for workload, names in series.items():
        yield from ((name, workload, own) for name, own in names.items())
