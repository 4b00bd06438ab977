"""verify.json: whether a variant reads back what was written to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuselab.files import read_json
from fuselab.records.failures import Failure, rates
from fuselab.records.places import VERIFY


@dataclass(frozen=True)
class Verified:
    variant: str
    status: Literal["ok", "failed"]
    reason: str | None = None
    tries: int = 1
    """Verifying runs made, those of earlier calls included."""
    failures: tuple[Failure, ...] = ()

    @property
    def rate(self) -> str:
        """`failed in 1 of 3 verifying runs`; of records without their failures `failed its verifying run`."""
        if not self.failures:
            return "failed its verifying run"
        return rates(self.failures, self.tries, "verifying runs")


def read_verified(folders: Iterable[Path]) -> dict[str, Verified]:
    """Verdicts of the verifying runs in `folders`, by variant."""
    read = [read_json(folder / VERIFY, Verified) for folder in folders]
    return {verified.variant: verified for verified in read}
