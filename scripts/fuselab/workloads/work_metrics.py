"""What runs of fixed work have counted, as metrics: each per operation of the load, or of the run where it has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fuselab.records.work import COUNTERS, REQUESTS, SYSCALLS, Counted, Work
from fuselab.targets.model import service_name
from fuselab.workloads.counters import PER_OP, PREFIX, counter
from fuselab.workloads.metric import Metric

_ABSOLUTE = frozenset({"peak_memory_bytes"})
"""What does not grow with the number of operations."""
_CALLED = {SYSCALLS: "{}", REQUESTS: "fuse_requests.{}", COUNTERS: "counter.{}"}


def with_zeros(works: Sequence[Work]) -> list[Work]:
    """Runs of one load: what one run has in a family, and another that counted it has not, is 0 there."""
    targets = iter(_filled([work.target for work in works]))
    roles = {role for work in works for role in work.services}
    services = {
        role: iter(_filled([work.services[role] for work in works if role in work.services]))
        for role in roles
    }
    return [
        replace(work, target=next(targets), services={role: next(services[role]) for role in work.services})
        for work in works
    ]


def _filled(counted: Sequence[Counted]) -> list[Counted]:
    names: dict[str, set[str]] = {}
    for each in counted:
        for family, found in each.families.items():
            names.setdefault(family, set()).update(found)
    return [
        replace(
            each,
            families={
                family: {name: found.get(name, 0) for name in sorted(names[family])}
                for family, found in each.families.items()
            },
        )
        for each in counted
    ]


def metrics(work: Work) -> list[Metric]:
    """Everything that one run has counted."""
    services = [
        metric
        for role, counted in work.services.items()
        for metric in _of(work, counted, f"{PREFIX}{service_name(role)}.")
    ]
    return [*_of(work, work.target, PREFIX), *services]


def _of(work: Work, counted: Counted, prefix: str) -> Iterator[Metric]:
    for name, value in _values(counted):
        shared = work.operations > 0 and name not in _ABSOLUTE
        yield _metric(f"{prefix}{name}{PER_OP if shared else ''}", value / (work.operations if shared else 1))
    if work.written_bytes and "disk_write_bytes" in counted.totals:
        yield _metric(f"{prefix}write_amplification", counted.totals["disk_write_bytes"] / work.written_bytes)


def _values(counted: Counted) -> Iterator[tuple[str, float]]:
    yield from counted.totals.items()
    for family, found in counted.families.items():
        for name, value in found.items():
            yield _CALLED[family].format(name), value


def _metric(name: str, value: float) -> Metric:
    known = counter(name)
    assert known is not None  # by its prefix
    return known.of(value)
