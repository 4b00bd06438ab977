"""Requests are joined with their answers and with the reads that picked them up: by hand, a few at a time."""

from __future__ import annotations

import numpy as np
import pytest

from fuselab.analysis.fuse.requests import Requests, most_in_flight, read_requests
from fuselab.analysis.fuse.tables import by_opcode, opcode_table, request_table, stacks
from fuselab.analysis.perf.tracepoints import Tracepoints

OURS, THEIRS = 43, 44
WRITE, GETATTR = 16, 3
TASK = [("time_ns", "<u8"), ("pid", "<i4"), ("tid", "<i4")]
SENT = np.dtype([*TASK, ("connection", "<u4"), ("unique", "<u8"), ("opcode", "<u4"), ("len", "<u4")])
ENDED = np.dtype([*TASK, ("connection", "<u4"), ("unique", "<u8"), ("len", "<u4"), ("error", "<i4")])
READ = np.dtype([*TASK, ("__syscall_nr", "<i4"), ("ret", "<i8")])


US = 1000
"""ns: all times here are in us."""


def read(sent, ended, reads=(), window=None) -> Requests:
    samples = {
        "fuse_request_send": np.array([(t * US, 7, 8, c, u, o, n) for t, c, u, o, n in sent], SENT),
        "fuse_request_end": np.array([(t * US, 2, 3, c, u, n, e) for t, c, u, n, e in ended], ENDED),
        "sys_exit_read": np.array([(t * US, 2, tid, 0, n) for t, tid, n in reads], READ),
    }
    names = {WRITE: "FUSE_WRITE", GETATTR: "FUSE_GETATTR"}
    return read_requests(
        Tracepoints(samples, {"fuse_request_send": names}), OURS, window and (window[0] * US, window[1] * US)
    )


def test_a_request_is_in_flight_from_sent_to_answered_and_queued_until_it_is_read():
    found = read([(100, OURS, 2, WRITE, 4176)], [(900, OURS, 2, 24, 0)], [(300, 3, 4176)])
    assert (found.in_flight_ns[0], found.queued_ns[0]) == (800 * US, 200 * US)
    assert stacks([found]) == {("WRITE", "queued"): 200 * US, ("WRITE", "served"): 600 * US}


def test_who_reads_by_other_means_leaves_the_queue_unknown_and_not_empty():
    found = read([(100, OURS, 2, WRITE, 4176)], [(900, OURS, 2, 24, 0)])
    assert stacks([found]) == {("WRITE", "in flight"): 800 * US}
    assert not found.picked.any()


def test_requests_of_one_length_are_picked_up_in_the_order_in_which_they_were_sent():
    sent = [(100, OURS, 2, WRITE, 4176), (110, OURS, 4, GETATTR, 56), (120, OURS, 6, WRITE, 4176)]
    ended = [(500, OURS, 6, 24, 0), (510, OURS, 4, 120, 0), (520, OURS, 2, 24, 0)]
    found = read(sent, ended, [(200, 3, 4176), (210, 4, 56), (220, 5, 4176)])
    assert (found.picked_ns // US).tolist() == [200, 210, 220]
    assert found.reader.tolist() == [3, 4, 5]


def test_a_read_of_another_file_of_just_this_length_is_no_request():
    sent = [(100, OURS, 2, WRITE, 4176), (1100, OURS, 4, WRITE, 4176)]
    ended = [(300, OURS, 2, 24, 0), (1300, OURS, 4, 24, 0)]
    found = read(sent, ended, [(50, 3, 4176), (200, 3, 4176), (400, 3, 4176), (1200, 3, 4176)])
    assert (found.picked_ns // US).tolist() == [200, 1200]


def test_a_request_whose_read_was_not_seen_does_not_take_the_next_ones():
    sent = [(100, OURS, 2, WRITE, 4176), (1100, OURS, 4, WRITE, 4176)]
    found = read(sent, [(300, OURS, 2, 24, 0), (1300, OURS, 4, 24, 0)], [(1200, 3, 4176)])
    assert (found.picked_ns // US).tolist() == [0, 1200]


def test_another_mount_and_what_was_sent_before_the_load_are_left_out():
    sent = [(50, OURS, 2, WRITE, 80), (100, THEIRS, 2, WRITE, 80), (110, OURS, 4, WRITE, 80)]
    ended = [(120, OURS, 2, 24, 0), (125, THEIRS, 2, 24, 0), (130, OURS, 4, 24, 0)]
    assert read(sent, ended, window=(100, 200)).sent_ns.tolist() == [110 * US]


def test_an_answer_that_came_too_late_is_counted_and_has_no_time():
    found = read([(100, OURS, 2, WRITE, 80), (110, OURS, 4, WRITE, 80)], [(200, OURS, 4, 24, -5)])
    (row,) = opcode_table([by_opcode([found])], operations=4).to_pylist()
    assert (row["requests"], row["unanswered"], row["in_flight_ns"]) == (2, 1, 90 * US)
    assert (row["errors"], row["per_operation"]) == ("EIO 1", 0.5)


def test_how_many_are_in_flight_is_counted_over_the_time_in_which_any_is():
    sent = [(0, OURS, 2, WRITE, 80), (100, OURS, 4, WRITE, 80), (900, OURS, 6, WRITE, 80)]
    ended = [(200, OURS, 2, 24, 0), (200, OURS, 4, 24, 0), (1000, OURS, 6, 24, 0)]
    most, mean = most_in_flight(read(sent, ended), until_ns=2000 * US)
    assert most == 2
    assert mean == pytest.approx((200 + 100 + 100) / 300)  # from 0 to 200 and from 900 to 1000


def test_each_request_is_a_row_with_its_sender_and_what_is_not_known_is_null():
    found = read([(1100, OURS, 2, WRITE, 80), (1200, OURS, 4, GETATTR, 56)], [(1300, OURS, 2, 24, -2)])
    rows = request_table([found], [OURS], family={7}, start_ns=1000 * US).to_pylist()
    assert [row["opcode"] for row in rows] == ["WRITE", "GETATTR"]
    assert rows[0]["sent_us"] == pytest.approx(100)
    assert rows[0]["in_flight_us"] == pytest.approx(200)
    assert (rows[0]["error"], rows[0]["sender"], rows[0]["queued_us"]) == ("ENOENT", "target", None)
    assert (rows[1]["in_flight_us"], rows[1]["error"]) == (None, None)
