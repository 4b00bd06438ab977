"""`fuselab show`: one run's record in readable form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab import foreign
from fuselab.commands.common import console, fail, print_json, repository, row, shorter
from fuselab.words import duration, figure, size

if TYPE_CHECKING:
    from fuselab.records.run import RunRecord


@click.command("show")
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the record as it is.")
def command(run: str, as_json: bool) -> None:
    """Show one run: RUN is its folder or its run.json, as it stands or below results/.

    Of a folder with several runs (a block, an experiment), they are listed.
    """
    found = records(run)
    if not found:
        fail(f"there is no run at {run}: a run is a folder with a run.json (or attempt.json, if it failed)")
    from fuselab.files import read_json
    from fuselab.records.run import RunRecord

    read = [read_json(path, RunRecord) for path in found]
    if as_json:
        print_json(read[0] if len(read) == 1 else read)
    elif len(read) == 1:
        _one(read[0], found[0])
    else:
        _many(read, found)


def records(written: str) -> list[Path]:
    """Record files at, or below, a path as it is written."""
    from fuselab.records.places import Results
    from fuselab.records.run import OUTCOMES

    for base in (Path.cwd(), repository(), Results(repository()).folder):
        path = base / written
        if path.is_file():
            return [path]
        if path.is_dir():
            here = [path / name for name in OUTCOMES if (path / name).is_file()]
            return here or sorted(inner for name in OUTCOMES for inner in path.rglob(name))
    return []


def _many(read: list[RunRecord], found: list[Path]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("status", "purpose", "variant", "workload", "profiler", "load", "folder"):
        table.add_column(column, overflow="fold")
    for record, path in zip(read, found, strict=True):
        load = duration(record.phases.load_s) if record.phases else "-"
        where = shorter(path.parent)
        told = (record.status, record.purpose, record.variant, record.workload, record.profiler, load, where)
        table.add_row(*row(*told))
    console().print(table)


def _one(record: RunRecord, path: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    status = {"ok": "green", "void": "yellow", "failed": "red"}[record.status]
    out.print(
        Text(record.status, style=status),
        f" {record.purpose} run of {record.variant}, {record.workload}",
    )
    if record.reason:
        out.print(foreign.plain(record.reason))
    for mark in record.marks:
        out.print(f"note: {foreign.plain(mark)}")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, text in _facts(record, path):
        table.add_row(*row(name, text))
    out.print(table)
    if record.phases:
        phases = vars(record.phases).items()
        out.print("\nphases: " + ", ".join(f"{k.removesuffix('_s')} {duration(v)}" for k, v in phases))
    if record.environment:
        known = (one for one in vars(record.environment).items() if one[0] != "gate")
        out.print("machine: " + ", ".join(f"{_plain(name)} {figure(name, value)}" for name, value in known))
    if record.files:
        out.print("files: " + ", ".join(f"{file.path} ({size(file.size_bytes)})" for file in record.files))


def _facts(record: RunRecord, path: Path) -> list[tuple[str, str]]:
    import shlex
    from datetime import datetime

    where = f"block {record.block}" if record.block is not None else f"capture {record.repeat}"
    facts = [
        (
            "experiment",
            f"{record.experiment}, {where}" if record.block or record.repeat else record.experiment,
        ),
        ("started", datetime.fromtimestamp(record.started_unix_s).astimezone().isoformat(" ", "seconds")),
        ("profiler", record.profiler),
        ("command", shlex.join(record.argv) or "nothing is mounted"),
        ("environment", " ".join(f"{name}={value}" for name, value in sorted(record.env.items())) or "-"),
        ("exit codes", ", ".join(f"{name} {code}" for name, code in record.exit_codes.items()) or "-"),
        ("network", record.network),
        ("build", f"{record.build or '-'}  sha256 {(record.binary_sha256 or '-')[:16]}"),
        ("folder", str(shorter(path.parent))),
    ]
    if record.mount:
        facts.insert(
            4, ("mount", f"{record.mount.fstype} from {record.mount.source} ({record.mount.options})")
        )
    if record.target:
        peak = "-" if record.target.rss_peak_bytes is None else size(record.target.rss_peak_bytes)
        log = f"log {size(record.target.log_bytes)}"
        facts.append(("target used", f"{duration(record.target.cpu_s)} of CPU, {peak} at its peak, {log}"))
    return facts


def _plain(name: str) -> str:
    """Without the unit, which the figure shows."""
    return re.sub(r"_(us|bytes|share|hz|c)$", "", name)
