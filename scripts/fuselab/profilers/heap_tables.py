"""Tables of a heap profile. Imported by processing only."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

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
    rows: list[dict[str, object]] = []
    for number, heap in enumerate(heaps, 1):
        for point in heap.timeline:
            rows.append(
                {
                    "capture": number,
                    "dump": point.seq,
                    "kind": point.kind,
                    "time_s": (point.written_ns - heap.timeline[0].written_ns) / 1e9,
                    "live_bytes": point.live_bytes,
                    "live_objects": point.live_objects,
                    "sampling_sd_bytes": point.sd_bytes,
                }
            )
    return pa.Table.from_pylist(rows)
