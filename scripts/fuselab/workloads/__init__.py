"""Kinds of loads, behind one registry. Adding one: docs/extend.md."""

from __future__ import annotations

from functools import cache

from fuselab import plugins
from fuselab.schema import schemas
from fuselab.workloads.base import WorkloadKind
from fuselab.workloads.command.kind import Command
from fuselab.workloads.criterion.kind import Criterion
from fuselab.workloads.fio.kind import Fio
from fuselab.workloads.metric import TARGET, Quantity, unknown

REGISTRY: dict[str, WorkloadKind] = plugins.registry(
    "fuselab.workloads",
    WorkloadKind,  # type: ignore[type-abstract]
    (Fio(), Criterion(), Command()),
)
"""By the word that stands in experiments; kinds of other packages last."""
VERIFIER = "fio"
"""The kind that writes and reads back what every variant is verified with."""

schemas.add_loads({kind.name: kind.schema for kind in REGISTRY.values() if kind.schema})


@cache
def quantity(metric: str) -> Quantity:
    """What is known of `metric`, by its name alone."""
    known = (*(kind.quantity(metric) for kind in REGISTRY.values()), *(q for q in TARGET if q.name == metric))
    return next(filter(None, known), None) or unknown(metric)
