"""syscalls counts every call of the target alone, under the function that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.mount.rig.test_perf_sees import looked_at
from tests.mount.rig.test_requests_seen import WRITES, writes
from tests.mount.rig.test_time_of_requests import WITHIN, planted

pytestmark = pytest.mark.mount

SLEEP_US = 40_000


@pytest.fixture
def seen(rig, plainfs: Path) -> tuple[dict[str, dict[str, Any]], dict[str, int], dict[str, int], int]:
    """The table by call, the folded counts and times of a filesystem that sleeps in every write, and for how many ns
    it did by its own clock."""
    argv = (str(plainfs), "{state}", f"--sleep-us={SLEEP_US}", "{mountpoint}", "-f")
    _, out, profile = looked_at(rig, "syscalls", argv, plainfs, writes())
    assert profile.has_picture, profile.notes  # libfuse may be without names
    assert profile.figures["lost_records"] == 0
    table = {row["call"]: row for row in pq.read_table(out / "processed/table.parquet").to_pylist()}
    folded, inside = (
        {
            stack: int(value)
            for stack, _, value in (line.rpartition(" ") for line in path.read_text().splitlines())
        }
        for path in (out / "processed/folded.txt", out / "processed/inside.txt")
    )
    return table, folded, inside, planted(out)["asleep_ns"]


def test_each_write_is_one_call_under_the_function_that_makes_it(seen) -> None:
    table, folded, *_ = seen
    assert table["pwrite64"]["calls"] == WRITES
    assert sum(n for stack, n in folded.items() if stack.endswith(";pwrite64")) == WRITES
    sleeps = {stack: n for stack, n in folded.items() if stack.endswith("nanosleep")}
    assert sum(n for stack, n in sleeps.items() if ";wait_asleep;" in stack) == WRITES


def test_time_inside_is_that_of_the_planted_wait(seen) -> None:
    _, _, inside, asleep_ns = seen
    waited_ns = sum(ns for stack, ns in inside.items() if ";wait_asleep;" in stack)
    assert asleep_ns >= WRITES * SLEEP_US * 1000
    assert waited_ns == pytest.approx(asleep_ns, rel=WITHIN)
