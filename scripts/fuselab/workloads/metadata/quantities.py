"""The metrics of a load of metadata: of each kind of operation its rate, and latencies where each is timed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuselab.workloads.metric import Phrase, Quantity, beyond

PREFIX = "metadata."
UNPACK = "unpack"
"""The one that is not timed file by file: tar does it."""
ORDER = ("create", "stat", "open", "readdir", "rename", "write", "read", "unlink", UNPACK)
"""In which they are done: each finds what those before it have left."""
PERCENTILES = {"p50": 50.0, "p99": 99.0}
_WORDS = {
    "create": ("file creations", "creates files"),
    "stat": ("lookups", "looks up files"),
    "unlink": ("removals", "removes files"),
    "rename": ("renames", "renames files"),
    "readdir": ("listings of a folder", "lists folders"),
    "write": ("small files written", "writes small files"),
    "read": ("small files read", "reads small files"),
    "open": ("opens", "opens and closes files"),
    UNPACK: ("files unpacked", "unpacks an archive"),
}
"""The most telling first."""
_NEEDS = {"create": (), UNPACK: (), "read": ("create", "write")}
"""What has to be done before; of the others, the files have to be there."""


def _quantities(operation: str) -> Iterator[Quantity]:
    noun, verb = _WORDS[operation]
    name = PREFIX + operation
    yield Quantity(f"{name}.rate", "1/s", "higher", Phrase(f"{noun} per second", verb, be="are"), operation)
    for short, percentile in () if operation == UNPACK else PERCENTILES.items():
        words = Phrase(f"{'median' if percentile == 50 else short} {operation} latency")
        yield Quantity(f"{name}.{short}", "ns", "lower", words, operation, percentile)


QUANTITIES = {quantity.name: quantity for operation in _WORDS for quantity in _quantities(operation)}


def done(asked: Sequence[str]) -> tuple[str, ...]:
    """The operations that are done where `asked` are wanted, in order: with what they need."""
    wanted = {need for operation in asked for need in (*_NEEDS.get(operation, ("create",)), operation)}
    return tuple(operation for operation in ORDER if operation in wanted)


def names(operations: Sequence[str], counts: dict[str, int]) -> list[str]:
    """Of the metrics, rates first: percentiles where any operation lies beyond."""
    told = [
        quantity
        for quantity in QUANTITIES.values()
        if quantity.side in operations
        and (quantity.percentile is None or beyond(counts[quantity.side], quantity.percentile))
    ]
    return [quantity.name for quantity in sorted(told, key=lambda quantity: quantity.percentile is not None)]
