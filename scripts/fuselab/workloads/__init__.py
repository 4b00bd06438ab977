"""Kinds of loads, behind one registry. Adding one: docs/extend.md."""

from __future__ import annotations

from fuselab import plugins
from fuselab.schema import schemas
from fuselab.workloads.base import WorkloadKind
from fuselab.workloads.command.kind import Command
from fuselab.workloads.criterion.kind import Criterion
from fuselab.workloads.fio.kind import Fio
from fuselab.workloads.metric import TARGET, Quantity

REGISTRY: dict[str, WorkloadKind] = plugins.registry(
    "fuselab.workloads",
    WorkloadKind,  # type: ignore[type-abstract]
    (Fio(), Criterion(), Command()),
)
"""By the word that stands in experiments; kinds of other packages last."""
VERIFIER = "fio"
"""The kind that writes and reads back what every variant is verified with."""

schemas.add_loads({kind.name: kind.schema for kind in REGISTRY.values() if kind.schema})


def quantity(metric: str) -> Quantity | None:
    """What is known of `metric`, by its name alone; None of one that no kind here yields."""
    known = (kind.quantity(metric) for kind in REGISTRY.values())
    of_target = next((each for each in TARGET if each.name == metric), None)
    return next((each for each in known if each is not None), of_target)
