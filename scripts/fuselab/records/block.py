"""block.json: what happened in one block, to each variant and to each attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fuselab.errors import Fault
from fuselab.files import read_json
from fuselab.records.failures import Failure
from fuselab.records.places import BLOCK

LEFT_OUT = "not run: what it would be compared with has failed"


@dataclass(frozen=True)
class Void:
    """One attempt of a block, or one run of it, that does not count, and why. `variant` is whose run it was."""

    attempt: int
    variant: str
    cause: Literal["environment", "target"]
    """Whether the machine was too busy, which voids the attempt, or the variant did not complete its run."""
    reason: str
    fault: Fault | None = None
    """Of a cause that is the target."""

    @property
    def failure(self) -> Failure:
        return Failure(self.fault or "died or refused", self.reason)


@dataclass(frozen=True)
class VariantOutcome:
    """Of one variant in one block."""

    status: Literal["ok", "failed", "left out"]
    reason: str | None = None
    tries: int = 1
    """Runs of it that the machine did not void, the one that counts included."""


@dataclass(frozen=True)
class BlockRecord:
    block: int
    workload: str
    purpose: str
    order: tuple[str, ...]
    randseed: int
    variants: dict[str, VariantOutcome]
    attempts: int
    voided: tuple[Void, ...]
    noisy: bool
    """The machine never was quiet enough: the last attempt is kept and marked, whatever it measured."""
    code: str = ""
    """Hash of the code that measured it: blocks of two are not mixed."""

    @property
    def busy(self) -> int:
        """Attempts that the machine voided. A run that failed is repeated alone: its block is not made again."""
        return sum(void.cause == "environment" for void in self.voided)


@dataclass(frozen=True)
class Standing:
    """How a variant has fared in several blocks of one workload."""

    tries: int = 0
    completed: int = 0
    """Blocks that have a run of it."""
    failures: tuple[Failure, ...] = field(default=())


def standing(records: Sequence[BlockRecord], name: str) -> Standing:
    outcomes = [record.variants[name] for record in records if name in record.variants]
    return Standing(
        tries=sum(outcome.tries for outcome in outcomes),
        completed=sum(outcome.status == "ok" for outcome in outcomes),
        failures=tuple(failure for record in records for failure in failures_of(name, record.voided)),
    )


def failures_of(name: str, voided: Iterable[Void]) -> list[Failure]:
    """Runs of `name` that it did not complete."""
    return [void.failure for void in voided if (void.variant, void.cause) == (name, "target")]


def read_block(folder: Path) -> BlockRecord:
    return read_json(folder / BLOCK, BlockRecord)


def earlier_blocks(folder: Path) -> list[BlockRecord]:
    """Records of the blocks that come before the one of `folder`, as far as they are there."""
    return blocks_in(folder.parent, before=folder.name)


def blocks_in(folder: Path, before: str = "") -> list[BlockRecord]:
    """Records of the blocks in `folder`, as far as they are there: of all, or of those that come `before` one."""
    found = sorted(path.parent for path in folder.glob(f"*/{BLOCK}"))
    return [read_block(path) for path in found if not before or path.name < before]
