"""Tables of a heap profile. Imported by processing only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fuselab.analysis.heap.profile import Heap


def memory_table(heap: Heap) -> pa.Table:
    """One row per stack: live bytes in the fullest dump with their standard error, growth from first to last dump."""
    return pa.table(
        {
            "stack": [";".join(row.stack) for row in heap.memory],
            "live_bytes": [row.peak_bytes for row in heap.memory],
            "live_objects": [row.peak_objects for row in heap.memory],
            "sampling_sd_bytes": [row.peak_sd_bytes for row in heap.memory],
            "growth_bytes": [row.growth_bytes for row in heap.memory],
        }
    )


def timeline_table(heaps: Sequence[Heap]) -> pa.Table:
    """One row per dump: capture (from 1), seconds since the first dump, live bytes with their error."""
    rows = [
        (number, point.seq, point.kind, (point.written_ns - heap.timeline[0].written_ns) / 1e9, point)
        for number, heap in enumerate(heaps, 1)
        for point in heap.timeline
    ]
    return pa.table(
        {
            "capture": [row[0] for row in rows],
            "dump": [row[1] for row in rows],
            "kind": [row[2] for row in rows],
            "time_s": [row[3] for row in rows],
            "live_bytes": [row[4].live_bytes for row in rows],
            "live_objects": [row[4].live_objects for row in rows],
            "sampling_sd_bytes": [row[4].sd_bytes for row in rows],
        }
    )


def write_table(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)
