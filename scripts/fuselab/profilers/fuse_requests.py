"""fuse-requests: what the kernel asked of the filesystem, and for how long each request was on its way.

Nothing of the target is needed: no build, no symbols, no spans. Only the connections of the run's own mounts are
recorded, for as long as the load lasts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuselab.errors import NotPermittedError
from fuselab.files import read_json, write_json
from fuselab.profilers.base import (
    Addition,
    Capability,
    CaptureContext,
    GivenTable,
    PerfEvent,
    Profiler,
    Reading,
    Sight,
    Window,
)
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.perf_session import DATA, PERF, PERMIT_ALL, recording
from fuselab.system.kernel import Connection, connection, mount_tracefs
from fuselab.targets.model import Target

REQUESTS = "requests.parquet"
CONNECTIONS = "connections.json"
_NOTHING = "The load asked nothing of the filesystem: all of it was answered by the kernel's caches."


class FuseRequests(Profiler):
    """Time in flight of FUSE requests, by opcode; apart in the queue and served where the program's reads were seen."""

    name = "fuse-requests"
    title = "FUSE requests in flight"
    unit = "ns in flight"
    sees = "every request of the kernel: what it asks, who waits for it, how long it is queued and served, how it ends"
    blind_to = "what the program does while it serves a request"
    from_outside = True
    programs = (PERF,)
    perf_event = PerfEvent(
        "fuse:fuse_request_send",
        can="perf can record the requests of FUSE filesystems",
        cannot="cannot see the requests of FUSE filesystems (Linux 6.12 and newer tell of them)",
        mend=PERMIT_ALL,
    )
    shows = Sight(on_cpu="in time served", blocked="in time served", awaiting="in time served", fuse="yes")
    tables = (
        GivenTable(
            "requests",
            "every FUSE request of the fuse-requests captures; times in us, from the beginning of the load",
            {"connection": "INTEGER", "opcode": "VARCHAR"}
            | dict.fromkeys(("sent_us", "queued_us", "served_us", "in_flight_us"), "DOUBLE")
            | {"error": "VARCHAR", "asked_bytes": "BIGINT", "answered_bytes": "BIGINT"}
            | {"sender": "VARCHAR", "sender_tid": "BIGINT", "server_tid": "BIGINT"},
            REQUESTS,
        ),
    )

    def capability(self, target: Target) -> Capability:
        """As any program's, but for stacks, of which it needs none."""
        able = super().capability(target)
        return Capability("ok") if able.level == "limited" else able

    @contextmanager
    def attach(self, context: CaptureContext) -> Iterator[Window]:
        from fuselab.analysis.perf.command_line import SEND, Watched, fuse_record_argv

        connections = [connection(device) for device in context.devices]
        tracepoints = mount_tracefs()
        if any(tracepoints.iterdir()) and not (tracepoints / "fuse" / SEND).is_dir():
            raise NotPermittedError(
                f"the kernel tells of no FUSE requests: Linux 6.12 and newer do, and this is {os.uname().release}"
            )

        def argv(perf: str, whom: Watched, output: Path) -> list[str]:
            return fuse_record_argv(perf, whom, output, [each.number for each in connections], tracepoints)

        write_json(context.folder / CONNECTIONS, connections)
        with recording(context, argv) as window:
            yield window

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        import pyarrow.parquet as pq

        from fuselab.analysis.fuse.requests import read_requests
        from fuselab.analysis.fuse.tables import by_opcode, request_table, stacks
        from fuselab.analysis.fuse.words import what_was_asked
        from fuselab.analysis.perf.complaints import require_file
        from fuselab.analysis.perf.tracepoints import read_tracepoints

        data, window_ns = capture.raw(DATA), capture.window_ns()
        require_file(data)
        recorded = read_tracepoints(data)
        connections = read_json(capture.raw(CONNECTIONS), list[Connection])
        each = [read_requests(recorded, connection.number, window_ns) for connection in connections]
        start_ns = 0 if window_ns is None else window_ns[0]
        table = request_table(
            each, [connection.number for connection in connections], capture.run.family, start_ns
        )
        pq.write_table(table, out / capture.numbered(REQUESTS))
        figures = {
            "requests": sum(map(len, each)),
            "unanswered": sum(int((~requests.ended).sum()) for requests in each),
            "picked_share": round(sum(float(r.picked.sum()) for r in each) / max(1, sum(map(len, each))), 4),
            "lost_records": recorded.lost,
        }
        lost = f"perf lost {recorded.lost:,} records: not every request is here." if recorded.lost else ""
        remarks = tuple(what_was_asked(each, capture.operations, capture.bytes, window_ns))
        return Reading(
            stacks(each),
            (data,),
            figures,
            (lost,) if lost else (),
            remarks,
            nothing=_NOTHING,
            detail=by_opcode(each),
        )

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        from fuselab.analysis.fuse.tables import opcode_table

        operations = sum(capture.operations for capture in captures)
        return Addition(table=opcode_table([reading.detail for reading in readings], operations))
