"""Who runs on which CPUs. It is a part of request.json."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fuselab.words import cpus


@dataclass(frozen=True)
class Cpus:
    """The CPUs that the processes of a run may use, by the kernel's numbers; empty: all that fuselab itself may use."""

    target: tuple[int, ...] = ()
    load: tuple[int, ...] = ()
    """Of a bench, which is its own target, too."""
    services: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """`target on CPU 0, load on CPUs 1, 2`."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return ", ".join(f"{name} on {cpus(numbers)}" for name, numbers in named.items() if numbers)
