"""How many blocks were measured and how many attempts voided: one wording, wherever a page says it."""

from __future__ import annotations

from fuselab.records.block import BlockRecord
from fuselab.records.comparison import Comparison
from fuselab.report import words
from fuselab.report.reading import Results


def block_counts(blocks: tuple[BlockRecord, ...]) -> tuple[int, int]:
    """(blocks, voided attempts)."""
    return len(blocks), sum(block.busy for block in blocks)


def total(results: Results) -> str:
    """`16 blocks (8 of each of 2 workloads), 14 attempts voided`; empty without the records of blocks.

    Where loads are swept, what has blocks is each point.
    """
    counts = {workload: block_counts(blocks) for workload, blocks in results.blocks.items()}
    if not counts:
        return ""
    blocks, voided = (sum(count[i] for count in counts.values()) for i in (0, 1))
    each = {workload: count for workload, (count, _) in counts.items()}
    return counted(blocks, voided, _shared_out(each, "point" if results.plan.curves else "workload"))


def of_row(results: Results, row: Comparison) -> str:
    """Of the workload of one comparison: `12 blocks, 0 attempts voided`.

    Where records of blocks have been removed since, what comparisons.csv kept of them.
    """
    blocks, voided = block_counts(results.blocks.get(row.workload, ()))
    return counted(row.blocks, voided if blocks >= row.blocks else row.voided)


def counted(blocks: int, voided: int | None, shared_out: str = "") -> str:
    lost = "" if voided is None else f", {words.plural(voided, 'attempt')} voided"
    return f"{words.plural(blocks, 'block')}{shared_out}{lost}"


def _shared_out(counts: dict[str, int], noun: str) -> str:
    if len(counts) < 2:
        return ""
    if len(set(counts.values())) == 1:
        return f" ({next(iter(counts.values()))} of each of {words.plural(len(counts), noun)})"
    return f" ({words.listing([f'{count} of `{workload}`' for workload, count in counts.items()])})"
