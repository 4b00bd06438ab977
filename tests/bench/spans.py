"""A trace of millions of spans, read as fuselab does and as json.load with pandas does, in one run.

    python tests/bench/spans.py [--events 3000000] [--folder DIR]

Makes a trace as tracing-chrome writes it (some 190 bytes an event; a quarter of the requests store two chunks at once,
and two places record a field late), then does the same work in both ways, each in a process of its own, imports and
all: spans with parents, depth, self time and arguments in a Parquet file, and the four standard queries. Prints seconds
and peak memory of both, and how ours grows from a third of the events to all.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from promises import promise  # type: ignore[import-not-found]

if TYPE_CHECKING:
    import pandas as pd

PLACES = {
    "write": ("demofs::fs", "src/fs.rs", 22),
    "stat": ("demofs::meta", "src/meta/sqlite.rs", 120),
    "extend_file_size": ("demofs::file", "src/file.rs", 67),
    "copy": ("demofs::file", "src/file.rs", 138),
    "store": ("demofs::chunks", "src/chunks.rs", 43),
    "put": ("demofs::chunks", "src/chunks.rs", 88),
}
RATIO = 10
MEMORY_MB = 500
GROWTH = 3.3


def write_trace(path: Path, events: int) -> None:
    """Events in the order of their times within a request, as one thread writes them."""
    rng = random.Random(1)
    head = [
        json.dumps(
            {"args": {"name": "tokio-rt-worker"}, "name": "thread_name", "ph": "M", "pid": 1, "tid": tid}
        )
        for tid in range(4)
    ]
    written = 0
    with path.open("w", buffering=1 << 20) as out:
        out.write("[\n" + ",\n".join(head))
        for request in _requests(rng):
            out.write(",\n" + ",\n".join(request))
            written += len(request)
            if written >= events:
                break
        out.write("\n]")


class _Request:
    """The lines of one request, with the id that all of them carry."""

    def __init__(self, root: int, tid: int) -> None:
        self._root, self._tid = root, tid
        self._lines: list[tuple[float, str]] = []

    def span(self, name: str, start: float, end: float, args: str, late: str = "") -> None:
        target, file, line = PLACES[name]
        for phase, ts, fields in (("b", start, args), ("e", end, args + late)):
            text = (
                f'{{".file":"{file}",".line":{line},"args":{{{fields}}},"cat":"{target}","id":{self._root},'
                f'"name":"{name}","ph":"{phase}","pid":1,"tid":{self._tid},"ts":{ts:.3f}}}'
            )
            self._lines.append((ts, text))

    def lines(self) -> list[str]:
        return [text for _, text in sorted(self._lines, key=lambda line: line[0])]


def _requests(rng: random.Random) -> Iterator[list[str]]:
    clock, root = 0.0, 1
    while True:
        root += 2251799813685249 if rng.random() < 0.3 else 1
        root &= (1 << 62) - 1
        ino, offset = rng.randrange(10**6), rng.randrange(1 << 34)
        request = _Request(root, rng.randrange(4))
        at = clock + 1
        stat_end = at + rng.uniform(30, 50)
        request.span("stat", at, stat_end, f'"ino":"{ino}"')
        extend_end = stat_end + rng.uniform(100, 400)
        request.span(
            "extend_file_size", stat_end + 1, extend_end, f'"ino":"{ino}","size":"{offset + 131072}"'
        )
        copy_end = extend_end + rng.uniform(40, 60)
        request.span("copy", extend_end + 1, copy_end, f'"len":"131072","dst":"\\"buffer {ino & 15}\\""')
        together, end = rng.random() < 0.25, copy_end
        for shard in range(2):
            start = (copy_end + 2 + 4 * shard) if together else end + 2
            stop = start + rng.uniform(60, 260)
            request.span("store", start, stop, f'"shard":"{shard}","chunk":"{offset >> 22}"')
            key = f'"key":"\\"chunks/{offset >> 22}_{shard}\\""'
            request.span("put", start + 1, stop - 1, key, f',"etag":"\\"{ino:08x}\\""')
            end = max(end, stop)
        args = f'"ino":"{ino}","offset":"{offset}","len":"131072"'
        request.span("write", clock, end + 2, args, ',"written":"131072"')
        yield request.lines()
        clock += (end - clock) if rng.random() < 0.5 else 50


def ours(trace: Path, folder: Path) -> None:
    """Spans to Parquet, and the standard queries."""
    from fuselab.analysis.spans.trace import read_trace
    from fuselab.queries.asking import connect, run
    from fuselab.queries.spans import READY

    spans = folder / "processed/v/w/trace-chrome/spans.parquet"
    spans.parent.mkdir(parents=True, exist_ok=True)
    read_trace(trace, spans, scratch=folder)
    with connect(folder) as connection:
        for query in READY:
            run(connection, query.sql)


def theirs(trace: Path, folder: Path) -> None:
    """The same with json.load and pandas: pairs by occurrence, a stack for parents, group-by for the questions.

    Calls of one request that run at once come out wrong here: to tell them apart is left out, which only helps it.
    """
    import pandas as pd

    with trace.open() as file:
        records = json.load(file)
    columns = ["ph", "ts", "name", "cat", "tid", "id", ".file", ".line", "args"]
    events = pd.DataFrame.from_records((r for r in records if r["ph"] in "be"), columns=columns)
    events = events.sort_values("ts", kind="stable")
    key = ["id", "cat", "name", ".file", ".line"]
    events["n"] = events.groupby([*key, "ph"]).cumcount()
    begins, ends = events[events.ph == "b"], events[events.ph == "e"].drop(columns=["ph", "tid"])
    spans = begins.drop(columns=["ph", "args"]).merge(ends, on=[*key, "n"], suffixes=("", "_end"))
    spans = spans.sort_values(["id", "ts"], kind="stable").reset_index(drop=True)
    spans["dur"] = spans.ts_end - spans.ts
    spans["parent"], spans["depth"], spans["self"] = _parents(spans)
    spans["args"] = spans.args.map(json.dumps)
    spans.to_parquet(folder / "theirs.parquet")
    _questions(spans)


def _parents(spans: pd.DataFrame) -> tuple[list[int], list[int], list[float]]:
    """A stack of open spans for each request; self time is the duration minus that of the children."""
    parents, depths, own = [-1] * len(spans), [0] * len(spans), spans.dur.tolist()
    stack: list[tuple[int, float]] = []
    root = None
    for row, (group, start, end) in enumerate(zip(spans.id, spans.ts, spans.ts_end, strict=True)):
        if group != root:
            stack, root = [], group
        while stack and stack[-1][1] < end:
            stack.pop()
        if stack:
            parents[row] = stack[-1][0]
            own[stack[-1][0]] -= end - start
        depths[row] = len(stack)
        stack.append((row, end))
    return parents, depths, own


def _questions(spans: pd.DataFrame) -> None:
    import pandas as pd

    groups = spans.groupby(["cat", "name"])
    groups.agg({"dur": ["count", "sum", "max"], "self": "sum"})
    for share in (0.5, 0.99):
        groups.dur.quantile(share)
    roots = spans[spans.parent < 0]
    edges = pd.concat([pd.Series(1, roots.ts), pd.Series(-1, roots.ts_end)]).sort_index().cumsum()
    edges.groupby((edges.index // 1e6).astype(int)).agg(["mean", "max"])
    above = spans[["cat", "name", "ts"]].add_suffix("_parent")
    children = spans[spans.parent >= 0].join(above, on="parent")
    children.groupby(["cat_parent", "name_parent", "name"]).dur.agg(["count", "sum"])
    free = (
        children.groupby("parent").ts_end.cummax().groupby(children.parent).shift().fillna(children.ts_parent)
    )
    children.assign(gap=children.ts - free).groupby(["name_parent", "name"]).gap.agg(["sum", "median", "max"])


def measured(way: str, trace: Path, folder: Path) -> tuple[float, float]:
    """(seconds, MB at most) of a process that goes one way. Memory includes whatever it starts, as if all at once."""
    argv = [sys.executable, __file__, "--way", way, "--trace", str(trace), "--folder", str(folder)]
    start = time.perf_counter()
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - start, float(done.stdout)


def _peak_mb() -> float:
    """This process's peak, and that of the largest it started."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(who).ru_maxrss for who in whose) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--folder", type=Path, help="where the trace is made (default: the temporary folder)")
    parser.add_argument("--way", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--trace", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        {"ours": ours, "theirs": theirs}[asked.way](asked.trace, asked.folder)
        print(_peak_mb())
        return
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-", dir=asked.folder) as name:
        folder = Path(name)
        third, whole = folder / "third.json", folder / "whole.json"
        write_trace(third, asked.events // 3)
        write_trace(whole, asked.events)
        print(f"{asked.events} events, {whole.stat().st_size / 1e6:.0f} MB")
        third_s, _ = measured("ours", third, folder)
        ours_s, ours_mb = measured("ours", whole, folder)
        theirs_s, theirs_mb = measured("theirs", whole, folder)
    print(f"  fuselab                {ours_s:6.1f} s")
    print(f"  json.load and pandas   {theirs_s:6.1f} s {theirs_mb:6.0f} MB")
    promise("json.load and pandas / fuselab", theirs_s / ours_s, RATIO, at_least=True)
    promise("peak memory of fuselab", ours_mb, MEMORY_MB, "MB")
    promise("time for 3 times the events (linear: 3)", ours_s / third_s, GROWTH)


if __name__ == "__main__":
    main()
