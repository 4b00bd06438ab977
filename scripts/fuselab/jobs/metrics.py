"""metrics.csv of all timed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fuselab.records.metrics import Sample
from fuselab.records.table import write_rows
from fuselab.workloads.run_metrics import samples


def write_metrics(blocks: Sequence[Path], kinds: Mapping[str, str], out: Path) -> None:
    """Read every run of every block folder in `blocks`; `kinds` gives each workload's kind."""
    write_rows(out, Sample, samples(blocks, kinds))
