"""A profiler of somebody else: how long each thread ran and waited for a CPU. docs/extend.md tells how it was made."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fuselab.profilers.base import (
    Addition,
    CaptureContext,
    GivenTable,
    Profiler,
    Reading,
    Sight,
    Window,
)
from fuselab.profilers.capture import CaptureFolder

RAW = "threads.json"
THREADS = "threads.parquet"


class ThreadTime(Profiler):
    """Of each thread that lives throughout the load, from /proc/<pid>/task/<tid>/schedstat."""

    name = "thread-time"
    title = "threads: on a CPU and waiting for one"
    unit = "ns of thread time"
    sees = "how long each thread ran, and how long it waited for a CPU"
    blind_to = "what the thread did, and threads that come or go under the load"
    from_outside = True
    shows = Sight(on_cpu="by thread")
    tables = (
        GivenTable(
            "threads",
            "threads of the target; times in ns",
            {"thread": "VARCHAR", "ran_ns": "BIGINT", "waited_ns": "BIGINT"},
            THREADS,
        ),
    )

    @contextmanager
    def attach(self, context: CaptureContext) -> Iterator[Window]:
        yield Schedstat(context)

    def read(self, capture: CaptureFolder, out: Path) -> Reading:
        import pyarrow as pa
        import pyarrow.parquet as pq

        raw = capture.raw(RAW)
        threads = json.loads(raw.read_text())
        pq.write_table(pa.Table.from_pylist(threads), out / capture.numbered(THREADS))
        stacks: dict[tuple[str, ...], int] = {}
        for thread in threads:
            for does in ("ran", "waited"):
                stack = (thread["thread"], does)
                stacks[stack] = stacks.get(stack, 0) + thread[f"{does}_ns"]
        return Reading(stacks, [raw], {"threads": len(threads)})

    def add(self, captures: Sequence[CaptureFolder], readings: Sequence[Reading], out: Path) -> Addition:
        return Addition(tables={"Every thread": THREADS})


class Schedstat(Window):
    """Looks when the load begins and when it has ended."""

    def __init__(self, context: CaptureContext) -> None:
        self.context = context
        self.before: Mapping[Path, tuple[int, int]] = {}

    def open(self) -> None:
        self.before = self.look()

    def close(self) -> None:
        threads = [
            {
                "thread": (folder / "comm").read_text().strip(),
                "ran_ns": ran_ns - self.before[folder][0],
                "waited_ns": waited_ns - self.before[folder][1],
            }
            for folder, (ran_ns, waited_ns) in self.look().items()
            if folder in self.before
        ]
        (self.context.folder / RAW).write_text(json.dumps(threads))

    def look(self) -> dict[Path, tuple[int, int]]:
        """(ns on a CPU, ns waiting for one) of each thread that lives."""
        seen = {}
        for pid in self.context.pids:
            for folder in Path(f"/proc/{pid}/task").glob("*"):
                with suppress(OSError):  # ended in the meantime
                    ran_ns, waited_ns, _ = (folder / "schedstat").read_text().split()
                    seen[folder] = int(ran_ns), int(waited_ns)
        return seen
