"""Every number of every run of a block: those of its load, those of its target, those that need both, and those that
were counted over fixed work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fuselab import foreign
from fuselab.errors import ChangedError
from fuselab.files import read_json
from fuselab.records.block import BlockRecord, read_block
from fuselab.records.metrics import Sample
from fuselab.records.places import RUN, WORK
from fuselab.records.run import RunRecord, outcome_of
from fuselab.records.slices import SLICES, Slice, Turns, added_up
from fuselab.records.table import read_rows
from fuselab.records.work import Work
from fuselab.workloads import reading, work_metrics
from fuselab.workloads.metric import CPU, PEAK_MEMORY, Metric


def rows(run: Path, record: RunRecord, kind: str) -> list[Metric]:
    """Metrics of the finished run in the folder `run`; `kind` is that of its workload.

    Raises ValueError or OSError if the load left no figures.
    """
    if (turns := _turns(run)) is not None:
        return reading.in_turns(kind, run, record, turns)
    return [*reading.metrics(kind, run, record), *_target(record)]


def _target(record: RunRecord) -> Iterator[Metric]:
    if record.target is None:
        return
    yield CPU.of(record.target.cpu_s)
    if record.target.rss_peak_bytes is not None:
        yield PEAK_MEMORY.of(float(record.target.rss_peak_bytes))


def samples(blocks: Sequence[Path], kinds: Mapping[str, str], beside: Sequence[Path] = ()) -> list[Sample]:
    """The rows of metrics.csv, from the block folders `blocks`; `kinds` gives each workload's kind.

    What only blocks `beside` them have counted, of the same loads, is 0 in these.

    Raises ChangedError where blocks of one workload were measured by different code of fuselab.
    """
    records = {folder: read_block(folder) for folder in blocks}
    _require_one_code(records)
    counted = _counted(records | {folder: read_block(folder) for folder in beside})
    return [
        sample
        for folder, block in records.items()
        for run in _runs(folder, block)
        for sample in _of_run(block, run, counted.get(run), kinds[block.workload])
    ]


def _require_one_code(blocks: Mapping[Path, BlockRecord]) -> None:
    first: dict[tuple[str, str], tuple[str, Path]] = {}
    for folder, block in blocks.items():
        code, other = first.setdefault((block.workload, block.purpose), (block.code, folder))
        if code != block.code:
            raise ChangedError(
                f"{other} and {folder} were measured by different code of fuselab ({code} and {block.code}), and are "
                "not compared: call again, and those that are not of today's code are measured again"
            )


def _counted(blocks: Mapping[Path, BlockRecord]) -> dict[Path, list[Metric]]:
    """By folder of the run: what those of fixed work have counted. Runs of one load have the same names."""
    found: dict[str, dict[Path, Work]] = {}
    for folder, block in blocks.items():
        for run in _runs(folder, block) if block.purpose == "work" else ():
            found.setdefault(block.workload, {})[run] = read_json(run / WORK, Work)
    return {
        run: work_metrics.metrics(work)
        for works in found.values()
        for run, work in zip(works, work_metrics.with_zeros(list(works.values())), strict=True)
    }


def _runs(folder: Path, block: BlockRecord) -> list[Path]:
    return [folder / name for name, outcome in block.variants.items() if outcome.status == "ok"]


def _of_run(block: BlockRecord, run: Path, counted: list[Metric] | None, kind: str) -> Iterator[Sample]:
    record = read_json(outcome_of(run) or run / RUN, RunRecord)
    gate = record.environment.gate if record.environment else {}
    turns = _turns(run)
    for m in rows(run, record, kind) if counted is None else counted:
        yield Sample(
            experiment=record.experiment,
            workload=block.workload,
            block=block.block,
            variant=run.name,
            metric=foreign.cell(m.name),
            unit=m.unit,
            value=float(m.value),
            better=m.better,
            tail_ios=m.tail_ios,
            slope=m.slope,
            noisy=int(block.noisy),
            busy_start=int(not gate.get("passed", True)),
            carried=None if turns is None else turns.carried,
            disk_per_s=None if turns is None else turns.disk_per_s,
            io_pressure=None if turns is None else _io_pressure(record),
        )


def _io_pressure(record: RunRecord) -> float | None:
    if record.environment is None or record.environment.psi_io_us is None or record.load_window_s is None:
        return None
    start, end = record.load_window_s
    return record.environment.psi_io_us / 1e6 / (end - start)


def _turns(run: Path) -> Turns | None:
    """What it did in its slices; None if its load took no turns with others."""
    path = run.parent / SLICES
    return added_up(read_rows(path, Slice), run.name) if path.is_file() else None
