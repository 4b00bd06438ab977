"""Requests are joined with their answers and with the reads that picked them up: by hand, a few at a time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fuselab.analysis.fuse.flight import BINS, curve, number_in_flight
from fuselab.analysis.fuse.requests import Requests, most_in_flight, read_requests
from fuselab.analysis.fuse.seen import see
from fuselab.analysis.fuse.tables import by_opcode, opcode_table, request_table, stacks
from fuselab.analysis.fuse.words import what_was_asked
from fuselab.analysis.perf.tracepoints import Tracepoints

OURS, THEIRS = 43, 44
WRITE, GETATTR = 16, 3
TASK = [("time_ns", "<u8"), ("pid", "<i4"), ("tid", "<i4")]
SENT = np.dtype([*TASK, ("connection", "<u4"), ("unique", "<u8"), ("opcode", "<u4"), ("len", "<u4")])
ENDED = np.dtype([*TASK, ("connection", "<u4"), ("unique", "<u8"), ("len", "<u4"), ("error", "<i4")])
READ = np.dtype([*TASK, ("__syscall_nr", "<i4"), ("ret", "<i8")])


US = 1000
"""ns: all times here are in us."""


def read(sent, ended, reads=(), window=None, strangers=(), servers=None) -> Requests:
    """`servers`: the thread that answers, by the request's number."""
    samples = {
        "fuse_request_send": np.array([(t * US, 7, 8, c, u, o, n) for t, c, u, o, n in sent], SENT),
        "fuse_request_end": np.array(
            [(t * US, 2, (servers or {}).get(u, 3), c, u, n, e) for t, c, u, n, e in ended], ENDED
        ),
        "sys_exit_read": np.array(
            [(t * US, 4 if tid in strangers else 2, tid, 0, n) for t, tid, n in reads], READ
        ),
    }
    names = {WRITE: "FUSE_WRITE", GETATTR: "FUSE_GETATTR"}
    return read_requests(
        Tracepoints(samples, {"fuse_request_send": names}),
        OURS,
        window and (window[0] * US, window[1] * US),
        {2},
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


@pytest.mark.parametrize("between", [(), (6,)])
def test_a_thread_that_is_overtaken_on_its_way_out_of_the_read_keeps_its_request(between):
    """Each thread answers what it read; the second to read returns first, beside or around a third."""
    numbers = [2, *between, 4]
    sent = [(100 + at, OURS, number, WRITE, 4176) for at, number in enumerate(numbers)]
    reads = [(200, 14, 4176), *((202, 10 + number, 4176) for number in between), (205, 12, 4176)]
    ended = [(500 + number, OURS, number, 24, 0) for number in sorted(numbers)]
    found = read(sent, ended, reads, servers={number: 10 + number for number in numbers})
    assert found.reader.tolist() == found.server.tolist() == [10 + number for number in numbers]
    assert found.picked_ns[0] == 205 * US
    late = [(300, OURS, 2, 24, 0), (600, OURS, 4, 24, 0)]
    found = read(
        [sent[0], (250, OURS, 4, WRITE, 4176)],
        late,
        [(200, 14, 4176), (260, 12, 4176)],
        servers={2: 12, 4: 14},
    )
    assert found.reader.tolist() == [14, 12], "the second was not sent when the first read returned"


def test_a_thread_that_is_away_for_longer_than_the_next_request_takes_keeps_its_own():
    """As a libfuse filesystem was seen to: four threads, of which two were preempted on their way out of the read."""
    sent = [(t, OURS, u, WRITE, 4176) for u, t in {2: 100, 4: 160, 6: 220, 8: 262}.items()]
    ended = [(t, OURS, u, 24, 0) for u, t in {4: 199, 6: 249, 2: 296, 8: 345}.items()]
    reads = [(182, 14, 4176), (235, 14, 4176), (277, 12, 4176), (286, 18, 4176)]
    found = read(sent, ended, reads, servers={2: 12, 4: 14, 6: 14, 8: 18})
    assert (found.picked_ns // US).tolist() == [277, 182, 235, 286]
    assert found.reader.tolist() == found.server.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_however_often_readers_are_held_up_each_request_gets_its_own_read(seed):
    """What a multithreaded libfuse filesystem tells, with the truth beside it: a fifth of its threads are preempted."""
    dice = np.random.default_rng(seed)
    free, senders = dict.fromkeys(range(10, 14), 0.0), dict.fromkeys(range(3), 0.0)
    sent, ended = [], []
    truth: list[tuple[float, tuple[float, int]]] = []
    for number in range(1, 400):
        sender = min(senders, key=lambda each: senders[each])
        sent_us = senders[sender] + 5 + dice.random()
        thread = min(free, key=lambda each: free[each])
        taken_us = max([sent_us, free[thread], *(us for us, _ in truth[-1:])]) + 1
        back_us = taken_us + (dice.uniform(30, 300) if dice.random() < 0.2 else 1)
        ended_us = back_us + 10 + dice.random()
        free[thread], senders[sender] = ended_us + 1, ended_us + 3
        sent.append((sent_us, OURS, 2 * number, WRITE, 4176))
        ended.append((ended_us, OURS, 2 * number, 24, 0))
        truth.append((taken_us, (back_us, thread)))
    servers = {2 * number: thread for number, (_, (_, thread)) in enumerate(truth, start=1)}
    reads = sorted((back_us, thread, 4176) for _, (back_us, thread) in truth)
    found = read(sent, sorted(ended), reads, servers=servers)
    assert found.picked.all()
    assert np.mean(found.reader == [thread for _, (_, thread) in truth]) > 0.95


def test_a_read_of_another_file_of_just_this_length_is_no_request():
    sent = [(100, OURS, 2, WRITE, 4176), (1100, OURS, 4, WRITE, 4176)]
    ended = [(300, OURS, 2, 24, 0), (1300, OURS, 4, 24, 0)]
    found = read(sent, ended, [(50, 3, 4176), (200, 3, 4176), (400, 3, 4176), (1200, 3, 4176)])
    assert (found.picked_ns // US).tolist() == [200, 1200]


def test_a_read_of_a_stranger_of_just_this_length_is_no_request():
    sent, ended = [(100, OURS, 2, WRITE, 4176)], [(900, OURS, 2, 24, 0)]
    found = read(sent, ended, [(200, 9, 4176), (300, 3, 4176)], strangers={9})
    assert (found.picked_ns[0], found.reader[0]) == (300 * US, 3)


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
    most, mean, _ = most_in_flight(read(sent, ended), until_ns=2000 * US)
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


def test_the_number_in_flight_over_time_is_that_of_the_moments_in_between():
    found = read(
        [(0, OURS, 2, WRITE, 80), (600, OURS, 4, WRITE, 80)], [(1200, OURS, 2, 24, 0), (900, OURS, 4, 24, 0)]
    )
    points = list(number_in_flight([found], (0, 1200 * US)))
    assert len(points) == BINS
    assert points[-1][0] == pytest.approx(1200e-6)
    assert [round(number, 6) for _, number in points[: BINS // 2]] == [1.0] * (BINS // 2)
    assert [round(number, 6) for _, number in points[BINS // 2 : 3 * BINS // 4]] == [2.0] * (BINS // 4)
    assert [round(number, 6) for _, number in points[3 * BINS // 4 :]] == [1.0] * (BINS // 4)


def test_a_curve_ends_where_fewer_than_ten_requests_are_beyond():
    points = dict(curve(np.arange(1, 1001)))
    assert points[50] == np.percentile(np.arange(1, 1001), 50)
    assert max(points) == 99
    assert list(curve(np.empty(0, np.int64))) == []


def asked(
    operations: int,
    moved: int,
    opcodes: dict[int, int],
    limit: int | None = None,
    seen_us: float = 6,
) -> list[str]:
    """What is said of so many requests of each opcode, one after the other, under a load that writes."""
    codes = [code for code, count in opcodes.items() for _ in range(count)]
    sent = [(10 * i, OURS, 2 * i + 2, code, 4176) for i, code in enumerate(codes)]
    ended = [(10 * i + 5, OURS, 2 * i + 2, 24, 0) for i in range(len(codes))]
    seen = see([read(sent, ended)], [limit], (), None)
    did = {"write": (operations, moved)} if moved else {}
    load = SimpleNamespace(
        operations=operations,
        transfers=operations if moved else 0,
        moved=did,
        latency_ns={"write": seen_us * US},
    )
    return list(what_was_asked({name: [of] for name, of in seen.by_opcode.items()}, [load], [seen.flight]))


def test_what_stands_out_is_said_in_words():
    said = asked(10, 10 << 17, {WRITE: 320, GETATTR: 320})
    assert "Every 128 KiB write becomes 32 requests of 4 KiB." in said
    assert "A GETATTR for each WRITE." in said
    assert "Never more than 1 request is in flight: the load waits for each before it asks the next." in said
    assert "1.5 GETATTR for each WRITE." in asked(10, 10 << 12, {WRITE: 10, GETATTR: 15})
    assert (
        "4 writes of the load come as one WRITE: the kernel joins them or answers from its cache."
        in asked(40, 40 << 10, {WRITE: 10})
    )


def test_only_operations_that_move_data_are_said_to_be_split_or_joined():
    said = asked(4, 0, {WRITE: 4, GETATTR: 8})
    assert "2 GETATTR for each operation of the load." in said
    assert "A WRITE for each operation of the load." in said
    assert not any("become" in text or "come as" in text for text in said)
    assert not any("for each operation" in text for text in asked(100, 0, {WRITE: 4, GETATTR: 4}))


def test_where_one_write_is_one_request_what_lies_between_them_is_said():
    (said, _) = asked(10, 10 << 12, {WRITE: 10})
    assert said == (
        "A write takes 6 µs as the load sees it, and its WRITE is in flight for 5 µs of that (means): 1 µs (17%) lie "
        "before and behind the request."
    )


def test_what_the_load_does_not_wait_for_is_no_part_of_what_it_waits():
    """Write-back: the kernel answers the load at once, and sends what it wrote later."""
    (longer, _) = asked(10, 10 << 12, {WRITE: 10}, seen_us=4)
    assert longer.endswith("is in flight for 5 µs (means): 1 µs (25%) more than the load saw.")
    (unwaited, _) = asked(10, 10 << 12, {WRITE: 10}, seen_us=1)
    assert unwaited.endswith(
        "is in flight for 5 µs (means): the load does not wait for it, and the kernel sends it for itself."
    )
