"""fuse-requests sees every request of a stranger's filesystem, for as long as it took, and no other's."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.mount.rig.test_perf_sees import looked_at

from fuselab.profilers import REGISTRY
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures
from fuselab.records.request import Load

pytestmark = pytest.mark.mount

SLEEP_US, WRITES = 40_000, 32
"""Long, because a sleep only ever lasts longer, and others have the processor when it ends."""
WITHIN = 0.05


def writes(bs: str = "64k", mib: int = 2, **options: str) -> Load:
    whole = {"rw": "write", "bs": bs, "size": f"{mib}m", "direct": "1", **options}
    return Load("fio", "w", {"jobs": {"job": whole}, "global": {}}, randseed=1)


def test_a_planted_wait_is_the_time_in_which_writes_are_served(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", f"--sleep-us={SLEEP_US}", "{mountpoint}", "-f")
    _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes())
    assert profile.status == "ok", profile.notes
    rows = opcodes(out)
    assert rows["WRITE"]["requests"] == WRITES
    served_ns = rows["WRITE"]["in_flight_ns"] - rows["WRITE"]["queued_ns"]
    assert served_ns == pytest.approx(WRITES * SLEEP_US * 1000, rel=WITHIN)
    folded = dict(line.rsplit(" ", 1) for line in (out / "processed/folded.txt").read_text().splitlines())
    assert int(folded["WRITE;served"]) == served_ns
    assert "WRITE;in flight" not in folded
    assert (
        "Never more than 1 request is in flight: the load waits for each before it asks the next."
        in profile.notes
    )


def test_every_request_is_there_once_as_perf_itself_counts_them(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    _, out, profile = looked_at(rig, "fuse-requests", argv, plainfs, writes("4k", numjobs="2"))
    said = subprocess.run(
        ["perf", "script", "-f", "-i", str(out / "perf.data"), "-F", "event,trace"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    sent = Counter(
        line.split("FUSE_")[1].split(")")[0] for line in said.splitlines() if "request_send" in line
    )
    table = pq.read_table(out / "processed/requests.001.parquet").to_pylist()
    assert Counter(row["opcode"] for row in table) == sent
    assert sent["WRITE"] == 2 * 512  # 2 MiB for each job
    assert profile.figures["lost_records"] == 0
    assert profile.figures["picked_share"] == 1
    assert {row["sender"] for row in table} == {"load"}


def test_errors_are_counted_by_their_names(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes())
    code, count = opcodes(out)["LOOKUP"]["errors"].split()
    assert code == "ENOENT"  # of the file, before it is made
    assert 0 < int(count) <= opcodes(out)["LOOKUP"]["requests"]


def test_a_write_that_the_kernel_splits_is_said(rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    _, out, _ = looked_at(rig, "fuse-requests", argv, plainfs, writes("4m", 16))
    requests = opcodes(out)["WRITE"]["requests"]
    again = out / "again"
    again.mkdir()
    profile = process_captures(
        REGISTRY["fuse-requests"], [CaptureFolder(out, 1, plainfs, operations=4, bytes=16 << 20)], again
    )
    assert requests > 4
    said = (
        f"Every operation of 4096 KiB becomes {requests / 4:.1f} requests of {(16 << 10) / requests:.4g} KiB."
    )
    assert said in profile.notes


def opcodes(out: Path) -> dict[str, dict[str, Any]]:
    return {row["opcode"]: row for row in pq.read_table(out / "processed/table.parquet").to_pylist()}
