"""The answered requests of a window: from when to when each was served, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fuselab.analysis.ftrace import NOBODYS
from fuselab.analysis.fuse.requests import Requests
from fuselab.analysis.fuse.tables import opcode_name
from fuselab.analysis.perf.intervals import Integers

Bools = NDArray[np.bool_]
_NEVER = np.iinfo(np.int64).max // 2


@dataclass(frozen=True)
class Served:
    """One element for each request, of all connections."""

    names: Sequence[str]
    """Of the numbers in `opcode`."""
    opcode: Integers
    sent_ns: Integers
    start_ns: Integers
    """When it was picked up; when it was sent, where that was not seen."""
    end_ns: Integers
    reader: Integers
    server: Integers
    picked: Bools

    def of(self, code: int) -> Bools:
        mine: Bools = self.opcode == code
        return mine


def served_until(requests: Sequence[Requests], until_ns: int) -> Served:
    """Those that were answered by then: of later ones nobody saw what was done for them."""
    there = [each.ended & (each.ended_ns <= until_ns) for each in requests]
    named = [_names(each)[mine] for each, mine in zip(requests, there, strict=True)]
    names, opcode = np.unique(np.concatenate(named), return_inverse=True)

    def column(name: str) -> Integers:
        return np.concatenate([getattr(each, name)[mine] for each, mine in zip(requests, there, strict=True)])

    picked = column("picked_ns") > 0
    start_ns = np.where(picked, column("picked_ns"), column("sent_ns"))
    return Served(
        [str(name) for name in names],
        opcode.astype(np.int64),
        column("sent_ns"),
        start_ns,
        column("ended_ns"),
        column("reader"),
        column("server"),
        picked,
    )


def _names(each: Requests) -> NDArray[np.str_]:
    codes, index = np.unique(each.opcode, return_inverse=True)
    return np.array([opcode_name(each, int(code)) for code in codes], np.str_)[index]


def alone(served: Served) -> Bools:
    """Whether the thread that picked a request up answered it, and picked up no other before.

    Not where nobody knows what perf calls the thread: what it did meanwhile is not found then.
    """
    found: Bools = served.picked & (served.reader == served.server) & (served.server < NOBODYS)
    order = np.lexsort((served.start_ns, served.reader))
    reader, start_ns = served.reader[order], served.start_ns[order]
    following = np.full(len(order), _NEVER)
    same = reader[1:] == reader[:-1]
    following[:-1][same] = start_ns[1:][same]
    found[order] &= served.end_ns[order] <= following
    return found


def holding(served: Served, chosen: Bools, tid: Integers, at_ns: Integers) -> Integers:
    """For each moment of a thread the request among `chosen` that it serves then, or -1."""
    which = np.flatnonzero(chosen)
    order = which[np.lexsort((served.start_ns[which], served.server[which]))]
    servers, begun_ns = served.server[order], served.start_ns[order]
    found = np.full(len(tid), -1, np.int64)
    for thread in np.unique(tid):
        first, end = np.searchsorted(servers, [thread, thread + 1])
        if first < end:
            mine = np.flatnonzero(tid == thread)
            last = np.searchsorted(begun_ns[first:end], at_ns[mine], "right") - 1
            request = order[first + np.maximum(last, 0)]
            found[mine] = np.where((last >= 0) & (at_ns[mine] < served.end_ns[request]), request, -1)
    return found
