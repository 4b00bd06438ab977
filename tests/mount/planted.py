"""What a planted experiment has left, and what its loads did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fuselab.workloads import REGISTRY


@dataclass(frozen=True)
class Truth:
    """The processed folders of the experiment, and what its loads did."""

    home: Path
    kind: str = "fio"
    """Of its loads."""

    def folder(self, cell: str) -> Path:
        return self.home / "processed" / cell

    def profile(self, cell: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder(cell) / "profile.json").read_text())
        assert found["status"] == "ok", (cell, found["status"], found["notes"])
        return found

    def operations(self, cell: str) -> int:
        """Operations of the load under which a cell was captured, by the load's own count."""
        return REGISTRY[self.kind].traffic(self.capture(cell)).operations

    def capture(self, cell: str) -> Path:
        """The folder of the run that a cell was captured in."""
        variant, workload, profiler = cell.split("/")
        runs = (self.home / "captures" / variant / workload).glob("*/*/*/run.json")
        return next(path.parent for path in runs if profiler in path.parts[-4].split("+"))

    def rows(self, cell: str, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(self.folder(cell) / table).to_pylist()
        return found

    def spans(self, cell: str, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rows(cell, "spans.parquet") if row["name"] == name]

    def time_in(self, cell: str, function: str) -> int:
        """Sum of the folded stacks in which `function` stands."""
        return sum(value for stack, value in self.stacks(cell) if any(function in frame for frame in stack))

    def stacks(self, cell: str) -> Iterable[tuple[list[str], int]]:
        for line in (self.folder(cell) / "folded.txt").read_text().splitlines():
            stack, _, value = line.rpartition(" ")
            yield stack.split(";"), int(value)
