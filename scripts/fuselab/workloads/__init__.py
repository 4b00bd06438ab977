"""Kinds of loads, behind one registry. Adding one: docs/extend.md."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fuselab import plugins
from fuselab.schema import schemas
from fuselab.workloads.base import Looked, WorkloadKind
from fuselab.workloads.command.kind import Command
from fuselab.workloads.counters import counter
from fuselab.workloads.criterion.kind import Criterion
from fuselab.workloads.fio.kind import Fio
from fuselab.workloads.metadata.kind import Metadata
from fuselab.workloads.metric import TARGET, Quantity, unknown

if TYPE_CHECKING:
    from fuselab.records.request import Load

REGISTRY: dict[str, WorkloadKind] = plugins.registry(
    "fuselab.workloads",
    WorkloadKind,  # type: ignore[type-abstract]
    (Fio(), Criterion(), Command(), Metadata()),
)
"""By the word that stands in experiments; kinds of other packages last."""
VERIFIER = "fio"
"""The kind that writes and reads back what every variant is verified with."""

schemas.add_loads({kind.name: kind.schema for kind in REGISTRY.values() if kind.schema})


def looked_at(load: Load) -> Looked:
    """What profilers look at under `load`."""
    return REGISTRY[load.kind].looked_at(load.settings)


@cache
def quantity(metric: str) -> Quantity:
    """What is known of `metric`, by its name alone."""
    known = (*(kind.quantity(metric) for kind in REGISTRY.values()), *(q for q in TARGET if q.name == metric))
    return next(filter(None, known), None) or counter(metric) or unknown(metric)
