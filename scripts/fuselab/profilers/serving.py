"""What threads did while they served requests: of recordings of perf that share a run with one of requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.errors import ProfileError
from fuselab.profilers.perf_offcpu import PerfOffCpu
from fuselab.profilers.perf_oncpu import PerfOnCpu
from fuselab.profilers.perf_session import PERF, recorded_beside
from fuselab.programs import tool

if TYPE_CHECKING:
    from fuselab.analysis.account.in_flight import InFlight, OfOpcode
    from fuselab.analysis.folded import Stacks
    from fuselab.analysis.fuse.requests import Requests
    from fuselab.analysis.perf.intervals import Moments
    from fuselab.analysis.symbols.symbolizer import Symbols
    from fuselab.profilers.capture import CaptureFolder

_NO_STACKS = "What ran for requests has no stacks: {}"


def accounted(
    capture: CaptureFolder, requests: Sequence[Requests]
) -> tuple[InFlight | None, tuple[str, ...]]:
    """Where the requests of one capture were, and caveats; None where nobody saw when threads left the CPU.

    On a CPU stacks are those that were sampled in the same run, if any were.
    """
    from fuselab.analysis.account.in_flight import in_flight
    from fuselab.analysis.perf.offcpu import read_offcpu
    from fuselab.analysis.symbols.symbolizer import Symbols

    data, window_ns = recorded_beside(capture, PerfOffCpu.name), capture.window_ns()
    if data is None or window_ns is None or not any(map(len, requests)):
        return None, ()
    symbols = Symbols()
    try:
        off = read_offcpu(tool(PERF.name), data, symbols, window_ns, pids=capture.run.family or None)
    except ProfileError as error:
        return None, (f"Where requests were while they were served is not known: {error.reason}",)
    moments, notes = _moments(capture, symbols)
    if off.lost:
        notes += (f"perf lost {off.lost:,} records of threads: what they did for requests is not whole.",)
    return in_flight(requests, off.waits, moments, window_ns), notes


def _moments(capture: CaptureFolder, symbols: Symbols) -> tuple[Moments | None, tuple[str, ...]]:
    from fuselab.analysis.perf.oncpu import read_oncpu

    data = recorded_beside(capture, PerfOnCpu.name)
    try:
        return (None if data is None else read_oncpu(tool(PERF.name), data, symbols).moments), ()
    except ProfileError as error:
        return None, (_NO_STACKS.format(error.reason),)


def deepened(stacks: Stacks, account: InFlight) -> Stacks:
    """The stacks of requests with what was done within them; what the account does not know stays as it is."""
    known: Counter[tuple[str, ...]] = Counter()
    for stack, ns in account.stacks.items():
        known[stack[:2]] += ns
    rest = {stack: ns - known[stack] for stack, ns in stacks.items() if ns > known[stack]}
    return {**account.stacks, **rest}


def write_rows(path: Path, rows: Sequence[OfOpcode]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), path)


def read_rows(path: Path) -> list[OfOpcode]:
    import pyarrow.parquet as pq

    from fuselab.analysis.account.in_flight import OfOpcode

    names = [each.name for each in fields(OfOpcode)]
    return [OfOpcode(**row) for row in pq.read_table(path, columns=names).to_pylist()]
