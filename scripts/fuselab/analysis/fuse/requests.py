"""What the kernel asked of a FUSE filesystem: every request from when it was sent until it was answered.

The kernel's tracepoints tell when a request joins the queue of its connection (`fuse_request_send`) and when its answer
is there (`fuse_request_end`). When the program has picked it up its own reads tell: read(2) of /dev/fuse returns one
request, and so its length; and the queue is first in, first out. (Kernel: fs/fuse/fuse_trace.h, fs/fuse/dev.c.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.perf.tracepoints import Samples, Tracepoints
from fuselab.system.tracefs import END, READS, SEND

_CLOCKS_APART_NS = 20_000
"""How far a time of one processor may be behind that of another: tracing reads the clock without a lock."""
_OVERTAKEN = 3
"""Readers that may return before one that took its request off the queue earlier."""
Times = NDArray[np.int64]
"""CLOCK_MONOTONIC in ns; 0 where it was not seen."""


@dataclass(frozen=True)
class Requests:
    """Requests that were sent within a window, one element each, in the order in which they were sent."""

    opcode: NDArray[np.int64]
    sent_ns: Times
    picked_ns: Times
    """0 where the program's reads were not seen, as with io_uring, or do not fit."""
    ended_ns: Times
    """0 where the answer came after the recording."""
    sender_pid: NDArray[np.int64]
    """Process that waits for the answer; 0 or -1 for one outside of the run, such as a worker of the kernel."""
    sender: NDArray[np.int64]
    """Its thread."""
    server: NDArray[np.int64]
    """Thread that wrote the answer."""
    reader: NDArray[np.int64]
    """Thread that picked the request up; 0 where that was not seen."""
    asked_bytes: NDArray[np.int64]
    answered_bytes: NDArray[np.int64]
    error: NDArray[np.int64]
    """0, or an errno with its sign turned: 2 for ENOENT."""
    names: Mapping[int, str]
    """What the kernel calls each opcode, without `FUSE_`."""

    def __len__(self) -> int:
        return len(self.opcode)

    @cached_property
    def ended(self) -> NDArray[np.bool_]:
        return self.ended_ns > 0

    @cached_property
    def picked(self) -> NDArray[np.bool_]:
        return self.picked_ns > 0

    @cached_property
    def in_flight_ns(self) -> Times:
        """From sent to answered; 0 for those that were not."""
        return np.where(self.ended, self.ended_ns - self.sent_ns, 0)

    @cached_property
    def queued_ns(self) -> Times:
        """From sent to picked up; 0 where that was not seen."""
        return np.where(self.picked, self.picked_ns - self.sent_ns, 0)


def read_requests(
    recorded: Tracepoints, connection: int, window_ns: tuple[int, int] | None, family: Collection[int]
) -> Requests:
    """The requests of one connection that were sent within a window (by default, all).

    A request that was sent before it belongs to no load. `family` are the processes of the target: others on the
    machine read too. Raises KeyError where the recording lacks the tracepoints.
    """
    sends, ends = (_of_connection(recorded.samples[name], connection) for name in (SEND, END))
    reads = [recorded.samples[name] for name in READS if name in recorded.samples]
    reads = [each[np.isin(each["pid"], list(family))] for each in reads]
    found = _joined(sends, ends)
    picked_ns, reader = _picked(sends, found, _reads(reads))
    if window_ns is not None:
        within = (sends["time_ns"] >= window_ns[0]) & (sends["time_ns"] <= window_ns[1])
        sends, found, picked_ns, reader = sends[within], found[within], picked_ns[within], reader[within]
    return Requests(
        opcode=_whole(sends["opcode"]),
        sent_ns=_whole(sends["time_ns"]),
        picked_ns=picked_ns,
        ended_ns=_whole(found["time_ns"]),
        sender_pid=_whole(sends["pid"]),
        sender=_whole(sends["tid"]),
        server=_whole(found["tid"]),
        reader=reader,
        asked_bytes=_whole(sends["len"]),
        answered_bytes=_whole(found["len"]),
        error=-_whole(found["error"]),
        names={number: name.removeprefix("FUSE_") for number, name in recorded.symbols[SEND].items()},
    )


def most_in_flight(requests: Requests, until_ns: int, full: int = 0) -> tuple[int, float, float]:
    """The largest number in flight at once, up to `until_ns`; of the time in which anything was, the mean number and
    the share with `full` or more."""
    ends = np.where(requests.ended, requests.ended_ns, until_ns)
    # Twice the time, and 1 for what is sent: an answer comes before the request that follows it at once.
    moments = np.sort(np.concatenate([2 * requests.sent_ns + 1, 2 * ends]))
    there, lasted = np.cumsum(2 * (moments & 1) - 1)[:-1], np.diff(moments >> 1)
    busy_ns = int(lasted[there > 0].sum())
    if not busy_ns:
        return 0, 0.0, 0.0
    most = int(there.max())
    mean = float((ends - requests.sent_ns).sum()) / busy_ns
    return most, mean, float(lasted[there >= full].sum()) / busy_ns


def _of_connection(samples: Samples, connection: int) -> Samples:
    own = samples["connection"] == connection
    kept: Samples = samples if own.all() else samples[own]
    return kept


def _whole(column: NDArray[Any]) -> NDArray[np.int64]:
    return column.astype(np.int64)


def _joined(sends: Samples, ends: Samples) -> Samples:
    """The end of each of `sends`; zeros where there is none. `unique` is never used again by a connection."""
    if not len(ends):
        return np.zeros(len(sends), ends.dtype)
    order = np.argsort(ends["unique"], kind="stable")
    at = np.searchsorted(ends["unique"], sends["unique"], sorter=order)
    found: Samples = ends[order[np.minimum(at, len(ends) - 1)]]
    found[found["unique"] != sends["unique"]] = np.zeros((), ends.dtype)
    return found


def _reads(calls: list[Samples]) -> Samples:
    """What all reading calls have brought: `time_ns`, `tid`, `ret`, in the order of time."""
    kinds = [("time_ns", "<i8"), ("tid", "<i4"), ("ret", "<i8")]
    whole = np.concatenate(
        [call[["time_ns", "tid", "ret"]].astype(kinds) for call in calls] or [np.empty(0, kinds)]
    )
    return whole[np.argsort(whole["time_ns"], kind="stable")]


def _picked(sends: Samples, ends: Samples, reads: Samples) -> tuple[Times, NDArray[np.int64]]:
    """When each request was picked up, and by which thread.

    Among requests of one length the first that waits is the one that a read of this length has brought. A read of
    another file of just this length finds none waiting, or is put right when the queue is next empty.
    """
    picked_ns, reader = np.zeros(len(sends), np.int64), np.zeros(len(sends), np.int64)
    for length in np.unique(sends["len"]):
        waiting = np.flatnonzero(sends["len"] == length)
        brought = reads[reads["ret"] == length]
        sent, ended = _whole(sends["time_ns"][waiting]), _whole(ends["time_ns"][waiting])
        ended[ended == 0] = np.iinfo(np.int64).max // 2
        server = _whole(ends["tid"][waiting])
        which = _in_turn(sent - _CLOCKS_APART_NS, ended + _CLOCKS_APART_NS, brought["time_ns"])
        taken = np.flatnonzero(which >= 0)
        which = which[taken]
        order = _as_answered(brought[taken], sent[which], ended[which], server[which])
        read_of = np.full(len(waiting), -1, np.int64)
        read_of[which] = taken[order]
        _handed_on(read_of, brought, sent - _CLOCKS_APART_NS, ended, server)
        seen = np.flatnonzero(read_of >= 0)
        found = brought[read_of[seen]]
        picked_ns[waiting[seen]] = np.clip(found["time_ns"], sent[seen], ended[seen])
        reader[waiting[seen]] = found["tid"]
    return picked_ns, reader


def _as_answered(reads: Samples, sent: Times, ended: Times, server: NDArray[np.int64]) -> NDArray[np.intp]:
    """Which of `reads` brought each request, where that of the same place did unless two threads show otherwise.

    A thread that is preempted between taking a request off the queue and returning with it is overtaken by the next
    one. Of two requests near each other of which each was answered by the thread that the other's read names, and which
    both waited at both reads, the reads are exchanged.
    """
    order = np.arange(len(reads))
    for apart in range(1, min(_OVERTAKEN, len(reads) - 1) + 1):
        at, tid = reads["time_ns"][order], reads["tid"][order]
        crossed = (
            (tid[:-apart] != tid[apart:])
            & (tid[:-apart] == server[apart:])
            & (tid[apart:] == server[:-apart])
        )
        both = (sent[apart:] - _CLOCKS_APART_NS <= at[:-apart]) & (
            at[apart:] <= ended[:-apart] + _CLOCKS_APART_NS
        )
        free = 0
        for first in np.flatnonzero(crossed & both).tolist():
            if first >= free:
                order[[first, first + apart]] = order[[first + apart, first]]
                free = first + apart + 1
    return order


def _handed_on(
    read_of: NDArray[np.int64], reads: Samples, sent: Times, ended: Times, server: NDArray[np.int64]
) -> None:
    """Give what was left without a read, in `read_of`, the one of the thread that answered it.

    A reader that was away for longer than the next request takes to be answered comes back with nothing that waits:
    its own request has been given that next one's read, and this one's may be another's again. Such a chain is moved on
    where every request of it gets a read of its own server and the last of them one that nobody has. A program that
    answers from other threads than it reads from has no such chains.
    """
    left, given = np.flatnonzero(read_of < 0), np.flatnonzero(read_of >= 0)
    if not len(left) or len(given) == len(reads):
        return
    holder = np.full(len(reads), -1, np.int64)
    holder[read_of[given]] = given
    by_thread = np.argsort(reads["tid"], kind="stable")
    tids, begins = np.unique(reads["tid"][by_thread], return_index=True)
    each = zip(tids.tolist(), np.split(by_thread, begins[1:]), strict=True)
    of_thread = {tid: (own, reads["time_ns"][own]) for tid, own in each}
    none = np.empty(0, np.int64)
    for request in left.tolist():
        moved: dict[int, int] = {}  # read -> the request that gets it
        while request >= 0:
            own, times = of_thread.get(int(server[request]), (none, none))
            before = int(np.searchsorted(times, ended[request], side="right"))
            read = int(own[before - 1]) if before else -1
            if read < 0 or reads["time_ns"][read] < sent[request] or read in moved:
                break
            moved[read] = request
            request = int(holder[read])
        else:
            read_of[[*moved.values()]] = [*moved]
            holder[[*moved]] = [*moved.values()]


def _in_turn(sent: Times, ended: Times, read: Times) -> NDArray[np.int64]:
    """For each of `read` the index of the first that waits then, or -1. All are in the order of time."""
    if len(read) == len(sent) and (sent <= read).all() and (read <= ended).all():
        return np.arange(len(read))
    which = np.full(len(read), -1, np.int64)
    first, sent_ns, ended_ns = 0, sent.tolist(), ended.tolist()
    for index, read_ns in enumerate(read.tolist()):
        while first < len(sent_ns) and ended_ns[first] < read_ns:
            first += 1  # answered, and its read was not seen
        if first < len(sent_ns) and sent_ns[first] <= read_ns:
            which[index] = first
            first += 1
    return which
