"""Where requests are while they are in flight, with no span: queued, on a CPU, blocked, preempted, or nowhere.

The kernel tells when a request was picked up and answered, and by which threads; the scheduler tells where each thread
was at every moment. A request that one thread picks up and answers, with no other in between, is accounted *by
request*: what its thread does until the answer belongs to it. All others are accounted *in sums* (`in_sums`). What no
thread is left for is awaiting: nobody runs for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from fuselab.analysis.account.in_sums import Parts, shared
from fuselab.analysis.account.served import Bools, Served, alone, holding, served_until
from fuselab.analysis.folded import Stacks
from fuselab.analysis.fuse.requests import Requests
from fuselab.analysis.perf.intervals import Integers, Moments, Off, Waits
from fuselab.analysis.request_frames import AWAITING, BLOCKED, IN_FLIGHT, ON_CPU, PREEMPTED, QUEUED, SERVED

NO_REQUEST = "(no request)"
"""What threads do between requests, and beyond one thread for each."""
BY_ITSELF = 0.99
"""Share of an opcode's requests that one thread serves alone, from which on they are accounted by request."""


@dataclass(frozen=True)
class OfOpcode:
    """The answered requests of one opcode. Of the times, in ns, the first is the sum of the others."""

    opcode: str
    requests: int = 0
    alone: int = 0
    """Those that one thread picked up and answered, with no other in between."""
    by_request: int = 0
    """Those that are accounted by request."""
    in_flight_ns: int = 0
    queued_ns: int = 0
    oncpu_ns: int = 0
    blocked_ns: int = 0
    preempted_ns: int = 0
    awaiting_ns: int = 0


@dataclass(frozen=True)
class InFlight:
    rows: Sequence[OfOpcode]
    """What was longest in flight first, and at last NO_REQUEST."""
    stacks: Stacks
    """`WRITE;served;...;[blocked]`, in ns in flight: what was queued and served, whole."""


def in_flight(
    requests: Sequence[Requests], waits: Waits, moments: Moments | None, window_ns: tuple[int, int]
) -> InFlight:
    """Account the requests of a window that were answered in it. Without `moments` nothing on a CPU has a stack."""
    served = served_until(requests, window_ns[1])
    by_itself = alone(served)
    codes = range(len(served.names))
    trusted = np.array([by_itself[served.of(code)].mean() >= BY_ITSELF for code in codes], np.bool_)
    exact = by_itself & trusted[served.opcode]
    holder = holding(served, exact, waits.tid, waits.start_ns)
    by_request = _by_request(served, exact, waits, holder)
    in_sums, no_request = shared(served, ~exact, waits, holder, window_ns)
    rows = []
    for code, name in enumerate(served.names):
        mine, parts = served.of(code), [each[code] for each in (by_request, in_sums) if code in each]
        rows.append(
            replace(
                _row(name, parts),
                requests=int(mine.sum()),
                alone=int(by_itself[mine].sum()),
                by_request=int(exact[mine].sum()),
                in_flight_ns=int((served.end_ns - served.sent_ns)[mine].sum()),
                queued_ns=int((served.start_ns - served.sent_ns)[mine].sum()),
            )
        )
    rows.sort(key=lambda row: (-row.in_flight_ns, row.opcode))
    rows.append(_row(NO_REQUEST, [no_request]))
    stacks: Counter[tuple[str, ...]] = Counter({(row.opcode, QUEUED): row.queued_ns for row in rows})
    for stack, ns in _stacks(served, exact, waits, holder, moments, by_request):
        stacks[stack] += ns
    for code, parts_of in in_sums.items():
        way = SERVED if served.picked[served.of(code)].any() else IN_FLIGHT
        for frame, ns in zip((ON_CPU, PREEMPTED, BLOCKED, AWAITING), parts_of, strict=True):
            stacks[served.names[code], way, frame] += ns
    return InFlight(rows, {stack: ns for stack, ns in stacks.items() if ns > 0})


def _row(opcode: str, parts: Sequence[Parts]) -> OfOpcode:
    return OfOpcode(
        opcode,
        oncpu_ns=sum(part.oncpu for part in parts),
        blocked_ns=sum(part.blocked for part in parts),
        preempted_ns=sum(part.preempted for part in parts),
        awaiting_ns=sum(part.awaiting for part in parts),
    )


def added(accounts: Sequence[Sequence[OfOpcode]]) -> list[OfOpcode]:
    """The rows of several captures together, in the order of the first that has them."""
    sums: dict[str, OfOpcode] = {}
    for row in (row for rows in accounts for row in rows if row.opcode != NO_REQUEST):
        sums[row.opcode] = _plus(sums.get(row.opcode, OfOpcode(row.opcode)), row)
    for row in (row for rows in accounts for row in rows if row.opcode == NO_REQUEST):
        sums[row.opcode] = _plus(sums.get(row.opcode, OfOpcode(row.opcode)), row)
    return list(sums.values())


def _plus(one: OfOpcode, other: OfOpcode) -> OfOpcode:
    numbers = {
        each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(OfOpcode)[1:]
    }
    return OfOpcode(one.opcode, **numbers)


def _within(served: Served, waits: Waits, holder: Integers) -> tuple[Integers, Integers, Integers]:
    """Of the waits within requests that are accounted by request: which they are, of which opcode, and how long."""
    which = np.flatnonzero(holder >= 0)
    request = holder[which]
    ns = np.minimum(waits.end_ns[which], served.end_ns[request]) - waits.start_ns[which]
    return which, served.opcode[request], ns


def _by_request(served: Served, exact: Bools, waits: Waits, holder: Integers) -> Mapping[int, Parts]:
    """What the thread of each request did until its answer, by opcode."""
    which, opcode, ns = _within(served, waits, holder)
    found = {}
    for code in np.unique(served.opcode[exact]).tolist():
        off = [int(ns[(opcode == code) & (waits.why[which] == why)].sum()) for why in Off]
        whole_ns = int((served.end_ns - served.start_ns)[exact & served.of(code)].sum())
        found[code] = Parts(
            whole_ns - sum(off), off[Off.PREEMPTED], off[Off.BLOCKED], off[Off.IDLE] + off[Off.ABSENT]
        )
    return found


def _stacks(
    served: Served,
    exact: Bools,
    waits: Waits,
    holder: Integers,
    moments: Moments | None,
    by_request: Mapping[int, Parts],
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Of what is accounted by request."""
    which, opcode, ns = _within(served, waits, holder)
    frames = {Off.BLOCKED: BLOCKED, Off.PREEMPTED: PREEMPTED}
    for (code, why, at), part_ns in _grouped(ns, opcode, waits.why[which], waits.stack[which]):
        functions = waits.stacks[at] if why in frames else ()
        yield (served.names[code], SERVED, *functions, frames.get(Off(why), AWAITING)), part_ns
    sampled = _sampled(served, exact, moments)
    for code, parts in by_request.items():
        # The switches say how long, the samples where: their sum is less sure.
        whole = sum(sampled.get(code, {}).values())
        shares = {at: round(parts.oncpu * part / whole) for at, part in sampled.get(code, {}).items()}
        for at, part_ns in shares.items():
            assert moments is not None
            yield (served.names[code], SERVED, *moments.stacks[at], ON_CPU), part_ns
        yield (served.names[code], SERVED, ON_CPU), parts.oncpu - sum(shares.values())


def _sampled(served: Served, exact: Bools, moments: Moments | None) -> dict[int, dict[int, int]]:
    """opcode -> stack -> ns that were sampled within its requests."""
    found: dict[int, dict[int, int]] = {}
    if moments is not None:
        request = holding(served, exact, moments.tid, moments.time_ns)
        inside = request >= 0
        for (code, at), ns in _grouped(
            moments.ns[inside], served.opcode[request[inside]], moments.stack[inside]
        ):
            found.setdefault(code, {})[at] = ns
    return found


def _grouped(values: Integers, *keys: Integers) -> Iterator[tuple[tuple[int, ...], int]]:
    """The sum of the values of each combination of keys."""
    if len(values):
        sizes = [int(key.max()) + 1 for key in keys]
        found, index = np.unique(np.ravel_multi_index(keys, sizes), return_inverse=True)
        sums = np.bincount(index, weights=values)
        rows = zip(*(key.tolist() for key in np.unravel_index(found, sizes)), strict=True)
        yield from ((row, round(total)) for row, total in zip(rows, sums.tolist(), strict=True))
