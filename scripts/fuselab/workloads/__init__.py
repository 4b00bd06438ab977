"""Kinds of loads, behind one registry. Adding one: a module here, and its entry below."""

from __future__ import annotations

from fuselab.workloads.base import Kind
from fuselab.workloads.command.kind import Command
from fuselab.workloads.criterion.kind import Criterion
from fuselab.workloads.fio.kind import Fio

_ALL: tuple[Kind, ...] = (Fio(), Criterion(), Command())

REGISTRY: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""By the word that stands in experiments."""
