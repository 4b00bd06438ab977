"""What measured jobs leave beside their runs: whether a variant reads back what it was given, what happened in a block.

`verify.json`, `block.json` and `capture.json`, as plain data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from fuselab.errors import Fault

LEFT_OUT = "not run: what it would be compared with has failed"


@dataclass(frozen=True)
class Failure:
    """A run that the variant did not complete. `reason` is for people, its first line can stand alone."""

    fault: Fault
    reason: str

    @property
    def line(self) -> str:
        return self.reason.partition("\n")[0].rstrip(":")


@dataclass(frozen=True)
class Verified:
    """verify.json: whether a variant reads back what was written to it."""

    variant: str
    status: Literal["ok", "failed"]
    reason: str | None
    tries: int = 1
    """Verifying runs made, those of earlier calls included."""
    failures: tuple[Failure, ...] = ()

    @property
    def rate(self) -> str:
        """`failed in 1 of 3 verifying runs`; of records without their failures `failed its verifying run`."""
        return (
            rates(self.failures, self.tries, "verifying runs")
            if self.failures
            else "failed its verifying run"
        )


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


@dataclass(frozen=True)
class VariantOutcome:
    """Of one variant in one block."""

    status: Literal["ok", "failed", "left out"]
    reason: str | None = None
    tries: int = 1
    """Runs of it that the machine did not void, the one that counts included."""


@dataclass(frozen=True)
class BlockRecord:
    """block.json."""

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


@dataclass(frozen=True)
class CaptureRecord:
    """capture.json: whether there is a capture, and why not."""

    status: Literal["ok", "failed"]
    reason: str | None
    code: str = ""
    tries: int = 1


@dataclass(frozen=True)
class Standing:
    """How a variant has fared in several blocks of one workload."""

    tries: int = 0
    completed: int = 0
    """Blocks that have a run of it."""
    failures: tuple[Failure, ...] = field(default=())


def standing(records: Sequence[BlockRecord], name: str) -> Standing:
    outcomes = [record.variants[name] for record in records if name in record.variants]
    failures = [void for record in records for void in failures_of(name, record.voided)]
    return Standing(
        tries=sum(outcome.tries for outcome in outcomes),
        completed=sum(outcome.status == "ok" for outcome in outcomes),
        failures=tuple(Failure(void.fault or "died or refused", void.reason) for void in failures),
    )


def failures_of(name: str, voided: Sequence[Void]) -> list[Void]:
    """Runs of `name` that it did not complete."""
    return [void for void in voided if (void.variant, void.cause) == (name, "target")]


_WORDS: dict[Fault, str] = {"hung": "hung", "wrong data": "returned wrong data"}


def rates(failures: Sequence[Failure], tries: int, noun: str = "runs") -> str:
    """`hung in 2 of 9 runs, failed in 1`; of a single try `hung in its only run`."""
    counts: dict[str, int] = {}
    for failure in failures:
        word = _WORDS.get(failure.fault, "failed")
        counts[word] = counts.get(word, 0) + 1
    if tries == 1:
        return f"{next(iter(counts))} in its only {noun.removesuffix('s')}"
    first, *others = counts.items()
    return ", ".join(
        [f"{first[0]} in {first[1]} of {tries} {noun}", *(f"{word} in {n}" for word, n in others)]
    )


def read_verified(folders: Sequence[Path]) -> dict[str, Verified]:
    """Verdicts of the verifying runs, by variant."""
    found = [msgspec.json.decode((folder / "verify.json").read_bytes(), type=Verified) for folder in folders]
    return {verified.variant: verified for verified in found}


def read_block(folder: Path) -> BlockRecord:
    return msgspec.json.decode((folder / "block.json").read_bytes(), type=BlockRecord)


def earlier_blocks(folder: Path) -> list[BlockRecord]:
    """Records of the blocks that come before the one of `folder`, as far as they are there."""
    before = sorted(path for path in folder.parent.glob("*/block.json") if path.parent.name < folder.name)
    return [read_block(path.parent) for path in before]
