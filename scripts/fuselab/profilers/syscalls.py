"""syscalls: which stack of the target makes which system call, how often, and how long it is inside."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.files import read_json, write_json
from fuselab.profilers.base import (
    EVERYTHING,
    Addition,
    CaptureContext,
    PerfEvent,
    Profiler,
    Reading,
    SideBySide,
    Sight,
    Window,
)
from fuselab.profilers.perf_record import syscalls_record_argv
from fuselab.profilers.perf_session import PERF, PERMIT_ALL, recorded, recording
from fuselab.system.syscall_names import syscall_names

if TYPE_CHECKING:
    from fuselab.profilers.capture import CaptureFolder

NAMES = "syscalls.json"


class Syscalls(Profiler):
    """Counts of system calls by stack; their time is drawn beside."""

    name = "syscalls"
    title = "System calls"
    unit = "system calls"
    sees = "every system call of the target, with the stack that makes it, its time inside and its error"
    blind_to = "what happens between system calls, and the wait of a task that makes none"
    looks_at = EVERYTHING
    from_outside = True
    programs = (PERF,)
    kernel_event = PerfEvent(
        "raw_syscalls:sys_enter",
        can="perf can record system calls",
        cannot="cannot see system calls",
        mend=PERMIT_ALL,
    )
    shows = Sight(blocked="in time inside")
    side_by_side = SideBySide("call", "calls", "system calls")

    @contextmanager
    def attach(self, context: CaptureContext) -> Iterator[Window]:
        write_json(context.folder / NAMES, syscall_names())
        with recording(context, self.name, syscalls_record_argv) as window:
            yield window

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        from fuselab.analysis.perf.syscalls import read_syscalls
        from fuselab.analysis.symbols.symbolizer import Symbols
        from fuselab.profilers.processing import quality_figures

        data, symbols = recorded(capture, self.name), Symbols()
        calls = read_syscalls(data, read_json(capture.raw(NAMES), dict[int, str]), symbols)
        figures = {
            **quality_figures(calls.quality, symbols.manglings),
            "calls": sum(of.calls for of in calls.by_name.values()),
            "inside_ns": sum(of.inside_ns for of in calls.by_name.values()),
            "lost_records": calls.lost,
        }
        lost = (f"perf lost {calls.lost:,} records: not every call is here.",) if calls.lost else ()
        return Reading(calls.counts, (data,), figures, (*lost, *calls.quality.limits()), detail=calls)

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        import pyarrow as pa

        from fuselab.analysis.folded import Folded, Picture, merged, write_folded
        from fuselab.profilers.processing import draw

        whole = merged(Folded(reading.detail.inside_ns, "ns inside") for reading in readings)
        write_folded(out / "inside.txt", whole)
        pictures = {}
        if whole:
            draw(whole, out / "inside.svg", Picture(title="System calls: time inside", colors="aqua"))
            pictures["Time inside system calls, waiting for work included"] = "inside.svg"
        operations = sum(capture.operations for capture in captures)
        rows = []
        for name in {name: None for reading in readings for name in reading.detail.by_name}:
            every = [r.detail.by_name[name] for r in readings if name in r.detail.by_name]
            errors: Counter[int] = sum((of.errors for of in every), Counter())
            calls = sum(of.calls for of in every)
            rows.append(
                {
                    "call": name,
                    "calls": calls,
                    "per_operation": calls / operations if operations else None,
                    "inside_ns": sum(of.inside_ns for of in every),
                    "errors": ", ".join(f"{errno.errorcode.get(c, c)} {n}" for c, n in errors.most_common()),
                }
            )
        rows.sort(key=lambda row: (-int(row["calls"] or 0), str(row["call"])))
        return Addition(
            pictures=pictures,
            units={"inside.svg": "ns inside"},
            table=pa.table({key: [row[key] for row in rows] for key in rows[0]}),
        )
