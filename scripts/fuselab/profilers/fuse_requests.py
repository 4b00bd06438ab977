"""fuse-requests: what the kernel asked of the filesystem, and for how long each request was on its way.

Nothing of the target is needed: no build, no symbols, no spans. Only the connections of the run's own mounts are
recorded, for as long as the load lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.fuse.rows import RequestRow
from fuselab.files import read_json, write_json
from fuselab.profilers.base import (
    AccountParts,
    Addition,
    Capability,
    CaptureContext,
    Curves,
    GivenTable,
    Profiler,
    Reading,
    SideBySide,
    Sight,
    SpentBy,
    Timeline,
    TracedEvent,
    Window,
    columns_of,
)
from fuselab.profilers.serving import accounted, deepened, write_rows
from fuselab.profilers.trace_session import ROOT, TraceRecord, traced, tracing
from fuselab.system import tracefs
from fuselab.system.kernel import Connection, connection
from fuselab.system.tracefs import END, FORK, READS, SEND
from fuselab.targets.model import Target

if TYPE_CHECKING:
    from fuselab.analysis.fuse.requests import Requests
    from fuselab.profilers.capture import CaptureFolder

REQUESTS = "requests.parquet"
CONNECTIONS = "connections.json"
LATENCY, OVER_TIME = "latency.parquet", "over_time.parquet"
IN_FLIGHT = "in_flight.parquet"
"""Where requests were, by opcode."""
_SMALLEST = 40
"""Bytes of a request without arguments: struct fuse_in_header."""
_NOTHING = "The load asked nothing of the filesystem: all of it was answered by the kernel's caches."


class FuseRequests(Profiler):
    """Time in flight of FUSE requests, by opcode; apart in the queue and served where the program's reads were seen."""

    name = "fuse-requests"
    title = "FUSE requests in flight"
    unit = "ns in flight"
    sees = "every request of the kernel: what it asks, who waits for it, how long it is queued and served, how it ends"
    blind_to = "what the program does while it serves a request, unless perf-offcpu looks at the same run"
    looks_at = frozenset({"mount"})
    from_outside = True
    kernel_event = TracedEvent(
        f"fuse:{SEND}",
        can="the requests of FUSE filesystems can be recorded",
        cannot="cannot see the requests of FUSE filesystems",
        mend=ROOT,
        since="Linux 6.12",
    )
    spent = SpentBy(
        "opcode", "in_flight_ns", "in flight", IN_FLIGHT,
        {"queued_ns": "queued as", "oncpu_ns": "on a CPU in", "blocked_ns": "blocked in"}
        | {"preempted_ns": "preempted in", "awaiting_ns": "with nobody running for"},
    )  # fmt: skip
    shows = Sight(on_cpu="in time served", blocked="in time served", awaiting="in time served", fuse="yes")
    tables = (
        GivenTable(
            "requests",
            "every FUSE request of the fuse-requests captures; times in us, from the beginning of the load",
            columns_of(RequestRow),
            REQUESTS,
        ),
        GivenTable(
            "in_flight",
            "where requests were while they were in flight, by opcode: of captures that perf-offcpu shares",
            {"opcode": "VARCHAR"}
            | dict.fromkeys(("requests", "alone", "by_request", "in_flight_ns", "queued_ns"), "BIGINT")
            | dict.fromkeys(("oncpu_ns", "blocked_ns", "preempted_ns", "awaiting_ns"), "BIGINT"),
            IN_FLIGHT,
        ),
    )
    account = AccountParts(in_flight=IN_FLIGHT)

    side_by_side = SideBySide(
        "opcode",
        "requests",
        "requests",
        {
            "p50_us": "Median time in flight of a request",
            "p99_us": "Time in flight of the slowest of 100 requests",
        },
    )
    over_time = (
        Timeline(
            OVER_TIME,
            "in_flight",
            "Requests in flight",
            "requests",
            "the load began",
            "How many requests are on their way, waiting to be picked up or served, on average between two points. A "
            "line that stays at 1 is a load that waits for each answer; a higher one keeps the filesystem busy.",
        ),
    )
    curves = (Curves(LATENCY, "in flight"),)

    def capability(self, target: Target) -> Capability:
        """As any program's, but for stacks, of which it needs none."""
        able = super().capability(target)
        return Capability("ok") if able.level == "limited" else able

    @contextmanager
    def attach(self, context: CaptureContext) -> Iterator[Window]:
        connections = [connection(device) for device in context.devices]

        write_json(context.folder / CONNECTIONS, connections)
        with tracing(context, self.name, events(connections)) as window:
            yield window

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        import pyarrow.parquet as pq

        from fuselab.analysis.fuse.seen import see
        from fuselab.analysis.fuse.tables import request_table, stacks

        window_ns, family = capture.window_ns(), capture.run.family
        pages, record = traced(capture, self.name)
        connections = read_json(capture.raw(CONNECTIONS), list[Connection])
        numbers = [connection.number for connection in connections]
        each = _requests(pages, record, numbers, window_ns, family)
        start_ns = 0 if window_ns is None else window_ns[0]
        pq.write_table(request_table(each, numbers, family, start_ns), out / capture.numbered(REQUESTS))
        seen = see(each, [connection.max_background for connection in connections], family, window_ns)
        count = sum(map(len, each))
        figures = {
            "requests": count,
            "unanswered": sum(int((~requests.ended).sum()) for requests in each),
            "picked_share": round(sum(float(r.picked.sum()) for r in each) / max(1, count), 4),
            "lost_records": record.lost,
        }
        lost = (
            (f"The kernel had no room for {record.lost:,} events: not every request is here.",)
            if record.lost
            else ()
        )
        account, caveats = accounted(capture, each)
        return Reading(
            deepened(stacks(each), account) if account else stacks(each),
            (pages,),
            figures,
            (*lost, *caveats),
            nothing=_NOTHING,
            detail=(seen, account.rows if account else ()),
        )

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        import pyarrow.parquet as pq

        from fuselab.analysis.account.in_flight import added
        from fuselab.analysis.fuse.seen import latency_table, over_time_table
        from fuselab.analysis.fuse.tables import opcode_table
        from fuselab.analysis.fuse.words import what_was_asked

        every, accounts = zip(*(reading.detail for reading in readings), strict=True)
        if rows := added(accounts):
            write_rows(out / IN_FLIGHT, rows)
        pq.write_table(latency_table(every), out / LATENCY)
        pq.write_table(over_time_table(every), out / OVER_TIME)
        opcodes = {name for seen in every for name in seen.by_opcode}
        together = {name: [s.by_opcode[name] for s in every if name in s.by_opcode] for name in opcodes}
        findings = what_was_asked(together, captures, [seen.flight for seen in every])
        operations = sum(capture.operations for capture in captures)
        table = opcode_table([seen.by_opcode for seen in every], operations)
        return Addition(table=table, findings=tuple(findings))


def _requests(
    pages: Path,
    record: TraceRecord,
    connections: Sequence[int],
    window_ns: tuple[int, int] | None,
    family: Collection[int],
) -> list[Requests]:
    """Those of each connection. What else was recorded is forgotten here."""
    from fuselab.analysis.ftrace import all_tasks, numbered, read_trace
    from fuselab.analysis.fuse.requests import read_requests

    told = read_trace(pages, record.formats, dict.fromkeys(READS, record.strangers(family)))
    told = numbered(told, all_tasks(told, record.tasks, record.others))
    return [read_requests(told, number, window_ns, family) for number in connections]


def events(connections: Sequence[Connection]) -> dict[str, str]:
    """Every request of some connections; of the whole machine what may have brought one to a server, and who begins."""
    mine = " || ".join(f"connection == {each.number}" for each in connections)
    reads = {event: f"ret >= {_SMALLEST}" for each in READS if tracefs.has(event := f"syscalls:{each}")}
    return {f"fuse:{event}": mine for event in (SEND, END)} | reads | {f"sched:{FORK}": ""}
