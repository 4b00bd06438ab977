"""metrics.csv: one row per timed run and metric, from the runs' own files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from fuselab import foreign
from fuselab.errors import ChangedError
from fuselab.records.outcomes import BlockRecord
from fuselab.records.run import RunRecord
from fuselab.workloads.run_metrics import rows

COLUMNS = (
    "experiment",
    "workload",
    "block",
    "variant",
    "metric",
    "unit",
    "value",
    "better",
    "tail_ios",
    "slope",
    "noisy",
    "busy_start",
)


def write_metrics(blocks: Sequence[Path], kinds: Mapping[str, str], out: Path) -> None:
    """Read every run of every block folder in `blocks`; `kinds` gives each workload's kind.

    `tail_ios` is how many I/Os lie beyond a percentile, `slope` ln(throughput in the second half of the measured
    time / in the first): both empty where there is none. `noisy` marks blocks that were kept although the machine was
    never quiet, `busy_start` runs that waited for a quiet machine in vain. Variants that failed in a block have no
    rows for it.
    """
    _require_one_code(blocks)
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for block in blocks:
            writer.writerows(_block_rows(block, kinds))


def _require_one_code(blocks: Sequence[Path]) -> None:
    """Raise ChangedError where blocks of one workload were measured by different code of fuselab."""
    first: dict[str, tuple[str, Path]] = {}
    for folder in blocks:
        block = _block(folder)
        code, other = first.setdefault(block.workload, (block.code, folder))
        if code != block.code:
            raise ChangedError(
                f"{other} and {folder} were measured by different code of fuselab ({code} and {block.code}), and are "
                "not compared: call again, and those that are not of today's code are measured again"
            )


def _block(folder: Path) -> BlockRecord:
    return msgspec.json.decode((folder / "block.json").read_bytes(), type=BlockRecord)


def _block_rows(folder: Path, kinds: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    block = _block(folder)
    for variant, outcome in block.variants.items():
        if outcome.status != "ok":
            continue
        run = folder / variant
        record = msgspec.json.decode((run / "run.json").read_bytes(), type=RunRecord)
        gate = record.environment.gate if record.environment else {}
        busy_start = int(not gate.get("passed", True))
        for m in rows(run, record, kinds[block.workload]):
            yield (
                record.experiment, block.workload, block.block, variant, foreign.cell(m.name), m.unit,
                repr(float(m.value)), m.better, "" if m.tail_ios is None else m.tail_ios,
                "" if m.slope is None else repr(m.slope), int(block.noisy), busy_start,
            )  # fmt: skip
