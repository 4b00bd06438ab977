"""What the requests say at first sight, in sentences: only where it says something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fuselab.analysis.fuse.requests import Requests, most_in_flight

_HEADER_BYTES = {"WRITE": 80, "READ": 80}
"""struct fuse_in_header and fuse_write_in, or fuse_read_in."""
_ASKED_OFTEN = 0.5
"""Requests for one of data, from which on they are worth a sentence."""
_OF_DATA = ("READ", "WRITE")
_SPLIT = 1.5
"""Requests for one operation of the load, from which on its operations are called split."""


def what_was_asked(
    each: Sequence[Requests], operations: int, moved_bytes: int, window_ns: tuple[int, int] | None
) -> Iterator[str]:
    """Sentences about one capture: the load's operations and bytes against the requests, and how many are in flight."""
    counts: dict[str, int] = {}
    for requests in each:
        for code, count in zip(*np.unique(requests.opcode, return_counts=True), strict=True):
            name = requests.names.get(int(code), str(code))
            counts[name] = counts.get(name, 0) + int(count)
    data = sum(counts.get(name, 0) for name in _OF_DATA)
    if operations and data >= _SPLIT * operations:
        size = moved_bytes / operations
        yield (
            f"Every operation of {_kib(size)} becomes {data / operations:.1f} requests of {_kib(moved_bytes / data)}."
        )
    elif operations and data and operations >= _SPLIT * data:
        yield (
            f"{operations / data:.1f} operations of the load come as one request: the kernel joins them or answers "
            "from its cache."
        )
    for name, count in sorted(counts.items()):
        if name not in _OF_DATA and data and count >= _ASKED_OFTEN * data:
            yield f"{count / data:.1f} {name} for each request of data."
    if window_ns is not None:
        most = max((most_in_flight(requests, window_ns[1])[0] for requests in each), default=0)
        if most == 1:
            yield "Never more than 1 request is in flight: the load waits for each before it asks the next."


def _kib(size: float) -> str:
    return f"{size / 1024:.4g} KiB"
