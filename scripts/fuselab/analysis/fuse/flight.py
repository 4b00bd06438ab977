"""How many requests are in flight as time goes by, and how long by percentile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.fuse.requests import Requests
from fuselab.workloads.metric import TAIL_IOS, beyond

BINS = 120
"""Of a capture: as many points as a figure of a page can show."""
PERCENTILES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99)


def number_in_flight(each: Sequence[Requests], window_ns: tuple[int, int]) -> Iterator[tuple[float, float]]:
    """(seconds since the beginning of the window, mean number in flight until then) of all mounts together."""
    begin_ns, end_ns = window_ns
    sent = np.concatenate([requests.sent_ns for requests in each])
    ended = np.concatenate([np.where(requests.ended, requests.ended_ns, end_ns) for requests in each]).clip(
        max=end_ns
    )
    edges = np.linspace(begin_ns, end_ns, BINS + 1)
    # What has been spent in flight until a moment: of those sent before it, less what is still to come of them.
    spent = _before(sent, edges) - _before(ended, edges)
    means = np.diff(spent) / np.diff(edges)
    yield from zip(((edges[1:] - begin_ns) / 1e9).tolist(), means.tolist(), strict=True)


def curve(in_flight_ns: NDArray[np.int64]) -> Iterator[tuple[float, float]]:
    """(percentile, ns), as far out as `TAIL_IOS` requests lie beyond."""
    shown = [p for p in PERCENTILES if beyond(len(in_flight_ns), p) >= TAIL_IOS]
    if shown:
        yield from zip(shown, np.percentile(in_flight_ns, shown).tolist(), strict=True)


def _before(moments: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each edge: time that has passed since every moment before it, added up."""
    ordered = np.sort(moments)
    sums = np.concatenate([[0.0], np.cumsum(ordered - edges[0])])
    count = np.searchsorted(ordered, edges)
    passed: NDArray[np.float64] = count * (edges - edges[0]) - sums[count]
    return passed
