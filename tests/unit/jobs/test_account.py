"""The account of a cell is made of what its processed folders hold, with spans or without."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fuselab.analysis.account.in_flight import NO_REQUEST, OfOpcode
from fuselab.files import read_json, write_json
from fuselab.jobs.account import write_account
from fuselab.profilers.fuse_requests import IN_FLIGHT
from fuselab.profilers.serving import write_rows
from fuselab.records.derived import AccountWords
from fuselab.records.places import ACCOUNT, ACCOUNT_WORDS, FOLDED, PROFILE
from fuselab.records.profile import Profile, Status

MS = 1_000_000
ROWS = (
    OfOpcode("WRITE", 10, 10, 10, in_flight_ns=100 * MS, oncpu_ns=10 * MS, blocked_ns=90 * MS),
    OfOpcode(NO_REQUEST, oncpu_ns=7 * MS),
)


def processed(
    cell: Path, profiler: str, stacks: str, status: Status = "ok", notes: tuple[str, ...] = ()
) -> Path:
    folder = cell / profiler
    folder.mkdir()
    write_json(folder / PROFILE, Profile(profiler, status, "ns", 1, 1, 10, 0, (), (10,), notes=notes))
    (folder / FOLDED).write_text(stacks)
    return folder


def said(cell: Path, *folders: Path) -> AccountWords:
    write_account(folders, None, "fio", cell)
    assert pq.read_table(cell / ACCOUNT).num_rows == 0, "there is no span"
    return read_json(cell / ACCOUNT_WORDS, AccountWords)


def test_without_a_span_requests_have_the_headline_and_the_flamegraph_what_is_in_its_place(
    tmp_path: Path,
) -> None:
    stacks = "WRITE;served;fs_write;meta_commit;fsync;[blocked] 90000000\nWRITE;served;[on CPU] 10000000\n"
    requests = processed(tmp_path, "fuse-requests", stacks)
    write_rows(requests / IN_FLIGHT, ROWS)
    words = said(tmp_path, requests, processed(tmp_path, "perf-oncpu", "main;burn 30\nmain;copy 10\n"))
    assert words.headline == ""
    assert "`WRITE` is in flight, 90%, is blocked in `fs_write;meta_commit;fsync`" in words.in_flight
    assert words.in_flight.endswith(
        "`WRITE` has 10 ms; the flamegraph shows `burn` (75%) and `copy` (25%) in its place."
    )
    assert "For no request the target's threads were 7 ms on a CPU" in words.in_flight_notes[-1]


@pytest.mark.parametrize(
    ("status", "why"), [("ok", "as `perf-offcpu` does"), ("unavailable", "the kernel tells of no requests")]
)
def test_requests_that_are_not_accounted_have_a_reason(tmp_path: Path, status, why) -> None:
    requests = processed(
        tmp_path, "fuse-requests", "WRITE;served 5\n", status, ("the kernel tells of no requests",)
    )
    words = said(tmp_path, requests)
    assert words.in_flight == ""
    (note,) = words.in_flight_notes
    assert note.startswith("Requests are not accounted: ")
    assert why in note
