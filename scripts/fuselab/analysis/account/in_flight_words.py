"""Where requests were, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fuselab.analysis.account.duration import duration
from fuselab.analysis.account.in_flight import BY_ITSELF, NO_REQUEST, OfOpcode
from fuselab.analysis.account.words import MOST, WORTH_A_WORD, WORTH_SAYING, in_its_place
from fuselab.analysis.folded import Stacks
from fuselab.analysis.request_frames import BLOCKED

FRAMES = 3
"""Of the stack in which requests are blocked the longest: its innermost functions of the program."""
_SAID = {
    "queued": "passes before a thread has been woken, or is free, and picks it up: no flamegraph shows that",
    "blocked": "is blocked{where}, which the on-CPU flamegraph does not show",
    "awaiting": "is a wait in which nobody runs for it: neither the on-CPU nor the off-CPU flamegraph shows that",
    "preempted": "passes while its thread could run and is not let: the machine is too busy to say more",
}


@dataclass(frozen=True)
class Wait:
    """The longest wait of all requests of one opcode."""

    row: OfOpcode
    kind: str
    ns: int

    @property
    def share(self) -> float:
        return self.ns / max(1, self.row.in_flight_ns)


def longest_wait(rows: Sequence[OfOpcode]) -> Wait | None:
    """Of all opcodes and kinds of waits; None where nothing was in flight."""
    waits = [
        Wait(row, kind, getattr(row, f"{kind}_ns"))
        for row in rows
        for kind in _SAID
        if row.opcode != NO_REQUEST and row.in_flight_ns
    ]
    return max(waits, key=lambda wait: wait.ns, default=None)


def headline(rows: Sequence[OfOpcode], stacks: Stacks, on_cpu_leaves: Mapping[str, int]) -> str:
    """Which requests wait for what, how long, and what the on-CPU flamegraph shows in its place.

    `stacks` are those of requests; `on_cpu_leaves` ns on the CPU by the function that ran, of the whole target.
    """
    wait, whole_ns = longest_wait(rows), sum(row.in_flight_ns for row in rows)
    if wait is None:
        return ""
    name, each = f"`{wait.row.opcode}`", duration(round(wait.ns / max(1, wait.row.requests)))
    if min(wait.share, wait.ns / max(1, whole_ns)) < WORTH_SAYING:
        oncpu_ns = sum(row.oncpu_ns for row in rows if row.opcode != NO_REQUEST)
        return (
            f"No large wait hides behind requests: {oncpu_ns / max(1, whole_ns):.0%} of the time that they are in "
            f"flight is on a CPU, and the longest wait, {name} {wait.kind}, is {wait.ns / max(1, whole_ns):.0%}."
        )
    most = "Most" if wait.share > MOST else "Part"
    where = blocked_in(stacks, wait.row.opcode) if wait.kind == "blocked" else ""
    what = _SAID[wait.kind].format(where=f" in `{where}`" if where else "")
    first = (
        f"{most} of the time that {name} is in flight, {wait.share:.0%}, {what}; {duration(wait.ns)} in "
        f"{wait.row.requests:,} requests, {each} each."
    )
    return f"{first} {in_its_place(wait.row.opcode, wait.row.oncpu_ns, on_cpu_leaves)}"


def blocked_in(stacks: Stacks, opcode: str) -> str:
    """The program's innermost functions where requests of an opcode are blocked the longest; "" where it has none."""
    places: Counter[str] = Counter()
    for stack, ns in stacks.items():
        if stack[0] == opcode and stack[-1] == BLOCKED:
            own = [frame for frame in stack[2:-1] if not frame.endswith("_[k]")]
            places[";".join(own[-FRAMES:])] += ns
    return max(places, key=lambda place: places[place], default="")


def notes(rows: Sequence[OfOpcode]) -> Iterator[str]:
    """Which of the two accounts it is, and what that cannot tell."""
    whole_ns = sum(row.in_flight_ns for row in rows)
    large = [row for row in rows if row.in_flight_ns > WORTH_A_WORD * whole_ns]
    by_request = [row for row in large if row.by_request >= BY_ITSELF * row.requests]
    in_sums = [row for row in large if row not in by_request]
    if by_request:
        yield (
            f"Accounted by request: {_listed(by_request)}, picked up and answered by one thread with no other request "
            "in between. What that thread did until the answer belongs to the request. A thread that was woken and "
            "waited for a CPU counts as blocked until it ran."
        )
    if in_sums:
        yield (
            f"Accounted in sums: {_listed(in_sums)} picked up and answered by one thread. Which thread worked for "
            "which request cannot be told: at each moment the threads on a CPU, then those preempted and blocked, are "
            "shared evenly among the requests served then, one thread for a request at most; for the rest nobody ran. "
            "Threads with nothing to do are left out, and so are blocked ones of which it is not known how they wait "
            "for work. There are no stacks by opcode."
        )
    none = next((row for row in rows if row.opcode == NO_REQUEST), None)
    if none is not None and max(none.oncpu_ns, none.blocked_ns):
        yield (
            f"For no request the target's threads were {duration(none.oncpu_ns)} on a CPU and "
            f"{duration(none.blocked_ns)} blocked: between requests, and beyond one thread for each."
        )


def _listed(rows: Sequence[OfOpcode]) -> str:
    return ", ".join(
        f"`{row.opcode}` ({row.alone / max(1, row.requests):.0%} of {row.requests:,})" for row in rows
    )
