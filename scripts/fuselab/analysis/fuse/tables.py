"""Requests as folded stacks, as a table of each, and summed up by opcode."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuselab.analysis.columns import encoded, numbers, table_of, texts
from fuselab.analysis.folded import Stacks
from fuselab.analysis.fuse.requests import Requests
from fuselab.analysis.request_frames import IN_FLIGHT, QUEUED, SERVED

LOAD, TARGET, OUTSIDE = "load", "target", "kernel"
"""Who sends a request: a program of the run, with the reads ahead that it starts; the target, whose answer to another
lets one go that had to wait; or somebody outside of the run, whose mounts no other program reaches: write-back."""

SENDERS = (LOAD, TARGET, OUTSIDE)


@dataclass(frozen=True)
class OpcodeRow:
    """All requests of one opcode, in all captures."""

    opcode: str
    requests: int
    per_operation: float | None
    """Of the load; None where it does not count its own."""
    in_flight_ns: int
    queued_ns: int | None
    """None where nobody saw a request picked up."""
    p50_us: float | None
    p99_us: float | None
    max_us: float | None
    asked_bytes: int
    answered_bytes: int
    sent_by: str
    errors: str
    unanswered: int


@dataclass
class OfOpcode:
    """The answered requests of one opcode."""

    in_flight_ns: list[NDArray[np.int64]] = field(default_factory=list)
    queued_ns: int = 0
    asked_bytes: int = 0
    answered_bytes: int = 0
    unanswered: int = 0
    picked: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    senders: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return sum(map(len, self.in_flight_ns)) + self.unanswered


def stacks(requests: Sequence[Requests]) -> Stacks:
    """`WRITE;queued` and `WRITE;served`, or `WRITE;in flight` where nobody saw a request picked up; in ns."""
    sums: Counter[tuple[str, ...]] = Counter()
    for each in requests:
        for name, mine in _opcodes(each):
            apart = mine & each.ended & each.picked
            whole = mine & each.ended & ~each.picked
            sums[name, QUEUED] += int(each.queued_ns[apart].sum())
            sums[name, SERVED] += int((each.in_flight_ns - each.queued_ns)[apart].sum())
            sums[name, IN_FLIGHT] += int(each.in_flight_ns[whole].sum())
    return {stack: value for stack, value in sums.items() if value}


def by_opcode(requests: Sequence[Requests], family: Collection[int] = ()) -> Mapping[str, OfOpcode]:
    """`family`: the processes of the target."""
    sums: dict[str, OfOpcode] = {}
    for each in requests:
        who = _who(each, family)
        for name, mine in _opcodes(each):
            of = sums.setdefault(name, OfOpcode())
            answered = mine & each.ended
            of.in_flight_ns.append(each.in_flight_ns[answered])
            of.queued_ns += int(each.queued_ns[answered].sum())
            of.asked_bytes += int(each.asked_bytes[mine].sum())
            of.answered_bytes += int(each.answered_bytes[answered].sum())
            of.unanswered += int((mine & ~each.ended).sum())
            of.picked += int((mine & each.picked).sum())
            of.senders.update(
                {SENDERS[n]: int((who[mine] == n).sum()) for n in np.unique(who[mine]).tolist()}
            )
            failed = each.error[answered & (each.error != 0)]
            of.errors.update(
                {errno_name(int(code)): int((failed == code).sum()) for code in np.unique(failed)}
            )
    return sums


def opcode_table(captures: Sequence[Mapping[str, OfOpcode]], operations: int) -> pa.Table:
    """One row an opcode, what was longest in flight first. `operations` are those of the load in all captures."""
    rows: list[OpcodeRow] = []
    for name in {name: None for capture in captures for name in capture}:
        every = [capture[name] for capture in captures if name in capture]
        times = np.concatenate([part for of in every for part in of.in_flight_ns])
        count = sum(of.count for of in every)
        p50, p99 = np.percentile(times, [50, 99]) / 1000 if len(times) else (None, None)
        rows.append(
            OpcodeRow(
                opcode=name,
                requests=count,
                per_operation=count / operations if operations else None,
                in_flight_ns=int(times.sum()),
                queued_ns=sum(of.queued_ns for of in every) if any(of.picked for of in every) else None,
                p50_us=p50,
                p99_us=p99,
                max_us=float(times.max()) / 1000 if len(times) else None,
                asked_bytes=sum(of.asked_bytes for of in every),
                answered_bytes=sum(of.answered_bytes for of in every),
                sent_by=_counted([of.senders for of in every]),
                errors=_counted([of.errors for of in every]),
                unanswered=sum(of.unanswered for of in every),
            )
        )
    rows.sort(key=lambda row: (-row.in_flight_ns, row.opcode))
    return table_of(OpcodeRow, rows)


def _counted(every: Sequence[Counter[str]]) -> str:
    """`ENOENT 3, EIO 1`."""
    whole: Counter[str] = sum(every, Counter())
    return ", ".join(f"{name} {count:,}" for name, count in whole.most_common())


def request_table(
    requests: Sequence[Requests], connections: Sequence[int], family: Collection[int], start_ns: int
) -> pa.Table:
    """One row a request; times in us, from `start_ns`; null where they were not seen."""
    return pa.concat_tables(
        [_table(each, number, family, start_ns) for each, number in zip(requests, connections, strict=True)]
    )


def errno_name(code: int) -> str:
    return errno.errorcode.get(code, str(code))


def _table(each: Requests, number: int, family: Collection[int], start_ns: int) -> pa.Table:
    codes = np.unique(each.error)
    opcodes = np.unique(each.opcode)
    apart = each.picked & each.ended
    return pa.table(
        {
            "connection": numbers(np.full(len(each), number, np.int32)),
            "opcode": encoded(
                np.searchsorted(opcodes, each.opcode),
                texts([opcode_name(each, int(code)) for code in opcodes]),
            ),
            "sent_us": numbers((each.sent_ns - start_ns) / 1000),
            "queued_us": numbers(each.queued_ns / 1000, missing=~each.picked),
            "served_us": numbers((each.in_flight_ns - each.queued_ns) / 1000, missing=~apart),
            "in_flight_us": numbers(each.in_flight_ns / 1000, missing=~each.ended),
            "error": encoded(
                np.searchsorted(codes, each.error),
                texts([errno_name(int(code)) if code else "" for code in codes]),
                missing=each.error == 0,
            ),
            "asked_bytes": numbers(each.asked_bytes),
            "answered_bytes": numbers(each.answered_bytes),
            "sender": encoded(_who(each, family), texts(SENDERS)),
            "sender_tid": numbers(each.sender),
            "server_tid": numbers(each.server, missing=~each.ended),
        }
    )


def _who(each: Requests, family: Collection[int]) -> NDArray[np.int64]:
    """Of each request the place of its sender in SENDERS."""
    inside = np.where(np.isin(each.sender_pid, list(family)), 1, 0)
    return np.where(each.sender_pid > 0, inside, 2)


def _opcodes(each: Requests) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(opcode_name(each, int(code)), each.opcode == code) for code in np.unique(each.opcode)]


def opcode_name(each: Requests, code: int) -> str:
    return each.names.get(code, f"opcode {code}")
