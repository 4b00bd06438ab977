"""Requests and what threads did meanwhile, set side by side by hand: a few moments, all in us."""

from __future__ import annotations

import numpy as np
import pytest

from fuselab.analysis.account.in_flight import NO_REQUEST, OfOpcode, added, in_flight
from fuselab.analysis.account.in_flight_words import headline, notes
from fuselab.analysis.folded import Stacks
from fuselab.analysis.ftrace import NOBODYS
from fuselab.analysis.fuse.requests import Requests
from fuselab.analysis.perf.intervals import Moments, Off, Waits
from fuselab.analysis.request_frames import AWAITING, BLOCKED, ON_CPU

US = 1000
WINDOW = (0, 1000 * US)
WRITE, READ = 16, 15
STACKS = (("main", "fs_write", "fsync"), ("main", "fs_write", "copy"))


def requests(*rows: tuple[int, int, int, int, int, int]) -> Requests:
    """opcode, sent, picked, ended, reader, server."""
    opcode, sent, picked, ended, reader, server = np.array(rows, np.int64).T
    none = np.zeros(len(rows), np.int64)
    return Requests(
        opcode=opcode, sent_ns=sent * US, picked_ns=picked * US, ended_ns=ended * US, sender_pid=none, sender=none,
        server=server, reader=reader, asked_bytes=none, answered_bytes=none, error=none,
        names={WRITE: "WRITE", READ: "READ"},
    )  # fmt: skip


def waits(*rows: tuple[int, int, int, Off]) -> Waits:
    """thread, start, end, why; all in the first stack."""
    tid, start, end, why = np.array(rows, np.int64).reshape(len(rows), 4).T
    return Waits(tid, start * US, end * US, why, np.zeros(len(rows), np.int64), STACKS)


def us(row: OfOpcode) -> dict[str, int]:
    return {
        name: getattr(row, f"{name}_ns") // US
        for name in ("queued", "oncpu", "blocked", "preempted", "awaiting")
    }


def test_what_a_thread_does_from_picking_up_to_answering_belongs_to_that_request() -> None:
    """One thread, which is idle around it; it blocks for 200 and is preempted for 50."""
    off = waits(
        (7, 0, 110, Off.IDLE),
        (7, 200, 400, Off.BLOCKED),
        (7, 500, 550, Off.PREEMPTED),
        (7, 700, 1000, Off.IDLE),
    )
    made = in_flight([requests((WRITE, 100, 120, 620, 7, 7))], off, None, WINDOW)
    row, rest = made.rows
    assert us(row) == {"queued": 20, "oncpu": 250, "blocked": 200, "preempted": 50, "awaiting": 0}
    assert (row.requests, row.alone, row.by_request) == (1, 1, 1)
    assert (rest.opcode, us(rest)["oncpu"]) == (NO_REQUEST, 10 + 80)
    assert made.stacks["WRITE", "served", "main", "fs_write", "fsync", BLOCKED] == 200 * US
    assert sum(made.stacks.values()) == row.in_flight_ns == 520 * US


def test_samples_say_where_and_switches_how_long() -> None:
    """Two samples in the request, one outside; together they stand for less than its time on the CPU."""
    at = np.array([150, 160, 700], np.int64) * US
    moments = Moments(np.full(3, 7), at, np.array([30, 10, 99], np.int64) * US, np.array([0, 1, 1]), STACKS)
    made = in_flight([requests((WRITE, 100, 100, 300, 7, 7))], waits((7, 0, 90, Off.IDLE)), moments, WINDOW)
    assert made.stacks["WRITE", "served", "main", "fs_write", "fsync", ON_CPU] == 150 * US
    assert made.stacks["WRITE", "served", "main", "fs_write", "copy", ON_CPU] == 50 * US


def test_a_thread_that_picks_up_another_request_first_is_not_by_itself() -> None:
    asked = requests((WRITE, 0, 10, 500, 7, 7), (WRITE, 0, 100, 200, 7, 7))
    (row, _) = in_flight([asked], waits((7, 210, 490, Off.IDLE)), None, WINDOW).rows
    assert (row.requests, row.alone, row.by_request) == (2, 1, 0), (
        "half of them: none is accounted by request"
    )


def test_what_a_thread_did_that_nobody_looked_up_is_not_taken_for_work() -> None:
    """It is blocked all the time, under a number that perf alone knows."""
    asked = requests((WRITE, 100, 100, 400, NOBODYS + 7, NOBODYS + 7))
    row, _ = in_flight([asked], waits((7, 90, 500, Off.BLOCKED)), None, WINDOW).rows
    assert (row.requests, row.by_request) == (1, 0)
    assert us(row)["oncpu"] == 0


def test_for_a_request_that_another_thread_answers_nobody_runs_while_all_are_idle() -> None:
    """Thread 7 reads, 8 answers: on the CPU 20 and 30 of the 300."""
    off = waits(
        (7, 0, 90, Off.IDLE), (7, 120, 1000, Off.IDLE), (8, 0, 370, Off.IDLE), (8, 420, 1000, Off.IDLE)
    )
    made = in_flight([requests((WRITE, 90, 100, 400, 7, 8))], off, None, WINDOW)
    row, rest = made.rows
    assert us(row) == {"queued": 10, "oncpu": 50, "blocked": 0, "preempted": 0, "awaiting": 250}
    assert us(rest)["oncpu"] == 10 + 20
    assert made.stacks["WRITE", "served", AWAITING] == 250 * US


def test_threads_are_shared_evenly_and_one_counts_for_one_request_at_most() -> None:
    """Two requests and one busy thread for 100; then one request and two busy threads for 100."""
    asked = requests((WRITE, 0, 0, 200, 7, 8), (READ, 0, 0, 100, 7, 8))
    off = waits((7, 0, 100, Off.IDLE), (7, 200, 1000, Off.IDLE), (8, 200, 1000, Off.IDLE))
    made = {row.opcode: us(row) for row in in_flight([asked], off, None, WINDOW).rows}
    assert (made["READ"]["oncpu"], made["READ"]["awaiting"]) == (50, 50)
    assert (made["WRITE"]["oncpu"], made["WRITE"]["awaiting"]) == (50 + 100, 50)
    assert made[NO_REQUEST]["oncpu"] == 100


@pytest.mark.parametrize(("around", "blocked"), [(Off.IDLE, 100), (Off.BLOCKED, 0)])
def test_a_blocked_thread_counts_where_it_is_known_how_it_waits_for_work(around, blocked) -> None:
    asked = requests((WRITE, 0, 0, 200, 7, 8))
    reader, server = ((7, 0, 1000, Off.IDLE),), ((8, 0, 150, Off.IDLE), (8, 200, 1000, Off.IDLE))
    helper = ((9, 0, 50, around), (9, 50, 150, Off.BLOCKED), (9, 150, 1000, around))
    row, _ = in_flight([asked], waits(*reader, *server, *helper), None, WINDOW).rows
    assert us(row)["blocked"] == blocked
    assert us(row)["oncpu"] == 50


def test_a_request_that_is_answered_after_the_window_is_left_out() -> None:
    asked = requests((WRITE, 0, 10, 100, 7, 7), (WRITE, 900, 910, 1100, 7, 7))
    row, _ = in_flight([asked], waits((7, 0, 5, Off.IDLE)), None, WINDOW).rows
    assert row.requests == 1


def test_whose_reads_nobody_saw_is_accounted_from_when_it_was_sent() -> None:
    """As with io_uring: nothing is known of the queue."""
    made = in_flight([requests((WRITE, 100, 0, 300, 0, 7))], waits((7, 0, 250, Off.IDLE)), None, WINDOW)
    assert us(made.rows[0]) == {"queued": 0, "oncpu": 50, "blocked": 0, "preempted": 0, "awaiting": 150}
    assert made.stacks["WRITE", "in flight", AWAITING] == 150 * US


def test_captures_are_added_up_and_what_is_for_no_request_stays_last() -> None:
    none = OfOpcode(NO_REQUEST, oncpu_ns=1)
    rows = added([[OfOpcode("WRITE", 1, in_flight_ns=5), none], [OfOpcode("READ", 2, in_flight_ns=3), none]])
    assert [(row.opcode, row.requests, row.oncpu_ns) for row in rows] == [
        ("WRITE", 1, 0), ("READ", 2, 0), (NO_REQUEST, 0, 2)
    ]  # fmt: skip


def test_the_headline_names_the_requests_what_they_wait_for_and_what_is_shown_instead() -> None:
    ms = 1_000_000
    row = OfOpcode("WRITE", 10, 10, 10, in_flight_ns=100 * ms, oncpu_ns=10 * ms, blocked_ns=90 * ms)
    found: Stacks = {
        ("WRITE", "served", "main", "fs_write", "meta_commit", "fsync", "schedule_[k]", BLOCKED): 90 * ms
    }
    assert headline([row], found, {"burn": 30, "copy": 10}) == (
        "Most of the time that `WRITE` is in flight, 90%, is blocked in `fs_write;meta_commit;fsync`, which the on-CPU "
        "flamegraph does not show; 90 ms in 10 requests, 9 ms each. On the CPU `WRITE` has 10 ms; the flamegraph shows "
        "`burn` (75%) and `copy` (25%) in its place."
    )
    (said,) = notes([row])
    assert said.startswith("Accounted by request: `WRITE` (100% of 10),")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("queued", "passes before a thread has been woken"),
        ("awaiting", "is a wait in which nobody runs for it"),
    ],
)
def test_each_kind_of_wait_has_its_words(part, said) -> None:
    row = OfOpcode("READ", 4, 0, 0, in_flight_ns=100, **{f"{part}_ns": 60})
    assert said in headline([row], {}, {})
    (note,) = notes([row])
    assert note.startswith("Accounted in sums: `READ` (0% of 4)")


def test_a_filesystem_that_works_all_the_time_hides_no_wait() -> None:
    row = OfOpcode("READ", 4, 4, 4, in_flight_ns=100, oncpu_ns=95, blocked_ns=5)
    assert headline([row], {}, {}).startswith("No large wait hides behind requests: 95% of the time")
