"""Metadata: small operations on many files, each kind after the other, each one timed. Bounded by count."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab.files import write_json
from fuselab.programs import tool
from fuselab.workloads.base import (
    CheckContext,
    Fixed,
    LoadContext,
    LoadResult,
    Settings,
    Traffic,
    WorkloadKind,
)
from fuselab.workloads.metadata import archive, outcome, quantities
from fuselab.workloads.metadata.quantities import ORDER, QUANTITIES, UNPACK
from fuselab.workloads.metric import TAIL_IOS, Metric, Quantity, beyond
from fuselab.workloads.running import finish

if TYPE_CHECKING:
    from fuselab.records.request import Load
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import Key

TOOL = "fuselab-metadata"
_FOLDER = "metadata"
"""In the mount: what a load before it left there is not listed."""
_COUNTED = {"files": 200, "folders": 8, "listings": 5}
"""Of a load whose work is counted: at most."""
_COUNTED_S = 1.0
_FACTORS = {"k": 2**10, "m": 2**20}


def _bytes(text: str) -> int:
    """`4k` -> 4096."""
    factor = _FACTORS.get(text[-1].lower())
    return int(text[:-1]) * factor if factor else int(text)


class Metadata(WorkloadKind):
    """Settings: `{operations, files, folders, size, threads, listings}`, all of them, `size` in bytes."""

    name = "metadata"
    quantities = tuple(QUANTITIES.values())
    programs = ("tar",)

    def read(self, diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> Settings:
        numbers = {"files": 2000, "folders": 1, "threads": 1, "listings": 20}
        return {
            "operations": quantities.done(part.get("operations", ORDER)),
            **{key: part.get(key, default) for key, default in numbers.items()},
            "size": _bytes(str(part.get("size", "4k"))),
        }

    def check(self, diagnostics: Diagnostics, at: Key, settings: Settings, context: CheckContext) -> None:
        files, folders = settings["files"], settings["folders"]
        if folders > files:
            message = f"{folders} folders, but only {files} files: some would stay empty"
            diagnostics.add((*at, "folders"), message, suggestion=str(files))

    def metric_names(self, settings: Settings) -> Sequence[str]:
        counts = dict.fromkeys(ORDER, int(settings["files"]))
        counts["readdir"] = settings["folders"] * settings["listings"]
        return quantities.names(settings["operations"], counts)

    def primary(self, settings: Settings) -> Sequence[str]:
        """Rates."""
        return [name for name in self.metric_names(settings) if QUANTITIES[name].percentile is None]

    def quantity(self, metric: str) -> Quantity | None:
        return QUANTITIES.get(metric)

    def fixed(self, settings: Settings, beside: Sequence[Settings] = ()) -> Fixed:
        """All kinds of operations, to fewer files."""
        few = {key: min(settings[key], most) for key, most in _COUNTED.items()}
        words = (
            f"{few['files']} files instead of {settings['files']}" if few["files"] < settings["files"] else ""
        )
        return Fixed({**settings, **few}, _COUNTED_S, words)

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        timed = [operation for operation in load.settings["operations"] if operation != UNPACK]
        started = time.monotonic()
        result = _time(load, timed, context) if timed else LoadResult(0)
        if result.reason is not None or UNPACK not in load.settings["operations"]:
            return result
        return _unpack(load, context, load.timeout_s - (time.monotonic() - started))

    def metrics(self, run: Path) -> Sequence[Metric]:
        return list(outcome.metrics(outcome.phases(run)))

    def traffic(self, run: Path) -> Traffic:
        done = outcome.phases(run)
        return Traffic(sum(phase.operations for phase in done), sum(phase.bytes for phase in done))

    def percentiles(self, run: Path) -> Mapping[str, Sequence[tuple[float, float]]]:
        return {
            phase.operation: [
                point for point in phase.latency_ns if beyond(phase.operations, point[0]) >= TAIL_IOS
            ]
            for phase in outcome.phases(run)
            if phase.latency_ns
        }

    def described(self, name: str, settings: Settings) -> Sequence[str]:
        files, folders, size = settings["files"], settings["folders"], settings["size"]
        threads = settings["threads"]
        where = "one folder" if folders == 1 else f"{folders} folders"
        by = "one thread" if threads == 1 else f"{threads} threads"
        return [
            f"`{name}` does to {files} files of {size} bytes in {where}, by {by}, one after the other: "
            f"{', '.join(settings['operations'])}. Names, contents and orders are those of the block's seed."
        ]


def _time(load: Load, operations: Sequence[str], context: LoadContext) -> LoadResult:
    """All but unpacking, each operation timed by our program. A cold load finds nothing of the one before it in the
    kernel: else most of them would never reach the filesystem."""
    forgetting = load.cache == "cold" and os.path.ismount(context.directory)
    job = context.out / "load.json"
    settings = {key: load.settings[key] for key in ("files", "folders", "size", "threads", "listings")}
    job.write_text(
        json.dumps(
            {
                **settings,
                "root": str(context.directory / _FOLDER),
                "forgetting": str(context.directory) if forgetting else None,
                "operations": operations,
                "seed": load.randseed,
            }
        )
    )
    argv = [tool(TOOL), str(job), str(context.out / outcome.PHASES)]
    ended = finish(argv, context, cwd=context.scratch, log="metadata.log", timeout_s=load.timeout_s)
    return outcome.result(context.out, ended, load.timeout_s)


def _unpack(load: Load, context: LoadContext, timeout_s: float) -> LoadResult:
    """An archive from outside the mount, by tar: what everybody unpacks with."""
    files, folders, size = (load.settings[key] for key in ("files", "folders", "size"))
    packed, into = context.scratch / "unpack.tar", context.directory / f"{_FOLDER}-{UNPACK}"
    archive.write(packed, files, folders, size, load.randseed)
    into.mkdir(exist_ok=True)
    argv = ["tar", "--extract", "--no-same-owner", f"--file={packed}", f"--directory={into}"]
    started = time.monotonic()
    ended = finish(argv, context, cwd=context.scratch, log="unpack.log", timeout_s=max(0.0, timeout_s))
    seconds = time.monotonic() - started
    if ended.timed_out or ended.exit_code != 0:
        return LoadResult(ended.exit_code or 1, f"tar: {ended.words(load.timeout_s)}")
    write_json(context.out / outcome.UNPACKED, outcome.Phase(UNPACK, files, files * size, seconds))
    return LoadResult(0)
