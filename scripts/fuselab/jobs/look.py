"""Whether a workload of a `blocks: auto` experiment needs more blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fuselab.compare.comparisons import decide_look, frame
from fuselab.files import write_json
from fuselab.jobs.compare import attrition
from fuselab.records.design import Design
from fuselab.records.look import Look
from fuselab.workloads.run_metrics import samples


def take_look(
    design: Design, workload: str, blocks: Sequence[Path], kinds: Mapping[str, str], out: Path
) -> None:
    count = len({block.name for block in blocks})  # a curve has as many of each point
    wanted = decide_look(frame(samples(blocks, kinds)), design, workload, count, attrition(blocks, {}, ()))
    write_json(out, Look(blocks=count, next=wanted))
