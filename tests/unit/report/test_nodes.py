"""A report of blocks from several machines says what each says of a ratio, and names the one that is out of line."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
from tests.unit.report.fixture import make, shaped

from fuselab.files import read_json
from fuselab.records.run import RunRecord
from fuselab.report.inputs import ReportInputs, find
from fuselab.report.page.cautions import cautions
from fuselab.report.page.nodes import nodes_table
from fuselab.report.reading import Results


def on_nodes(standard: ReportInputs, to: Path, nodes: tuple[str, ...], slow: str = "") -> Results:
    """The made-up results as if `nodes` had measured the blocks in turn; on `slow` variants take double."""
    home = to / "results" / standard.folder.name
    shutil.copytree(standard.folder, home)
    found = find(to / "results", standard.experiment, standard.folder.name)
    first = found.plan.variants[0].name
    for path in found.runs():
        record = read_json(path, RunRecord)
        node = nodes[(record.block or 0) % len(nodes)]
        path.write_bytes(msgspec.json.encode(replace(record, hostname=node)))
    rows = list(csv.DictReader(found.metrics.open()))
    for row in rows:
        if nodes[int(row["block"]) % len(nodes)] == slow and row["variant"] != first and row["value"]:
            row["value"] = str(float(row["value"]) / 2)
    with found.metrics.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Results(found)


def test_of_one_machine_nothing_is_said(standard: ReportInputs, tmp_path: Path):
    alone = on_nodes(standard, tmp_path, ("n1",))
    assert nodes_table(alone) is None
    assert not [line for line in cautions(alone) if "achines" in line]


def test_two_machines_stand_beside_the_pooled_ratio(standard: ReportInputs, tmp_path: Path):
    table = nodes_table(on_nodes(standard, tmp_path, ("n1", "n2")))
    assert table is not None
    assert {cell.text for row in table.rows for cell in row} >= {"n1", "n2", "3"}


def test_a_machine_out_of_line_is_named_with_what_each_says(tmp_path: Path):
    make(tmp_path / "made", shaped("standard", blocks=18))
    many = find(tmp_path / "made", tmp_path / "hidden-wait.yaml", "hidden-wait")
    said = [
        line
        for line in cautions(on_nodes(many, tmp_path, ("n1", "n2", "n3"), slow="n2"))
        if "disagree" in line
    ]
    assert said
    assert any(
        "`n2` is out of line, and the others agree. With each machine counted as one" in line for line in said
    )
    assert not [line for line in said if "`n1` is out" in line or "`n3` is out" in line]
