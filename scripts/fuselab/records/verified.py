"""verify.json: whether a variant reads back what was written to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuselab.files import read_json
from fuselab.records.failures import Failure, rates
from fuselab.records.places import VERIFY
from fuselab.records.plan import Verifying


@dataclass(frozen=True)
class Verified:
    variant: str
    status: Literal["ok", "failed"]
    reason: str | None = None
    tries: int = 1
    """Verifying runs made, those of earlier calls included."""
    failures: tuple[Failure, ...] = ()
    found: tuple[str, ...] = ()
    """What there is to say of each way in which it passed: `POSIX suite: 383 passed, 15 skipped`."""

    @property
    def rate(self) -> str:
        """`failed in 1 of 3 verifying runs`; of records without their failures `failed its verifying run`."""
        if not self.failures:
            return "failed its verifying run"
        return rates(self.failures, self.tries, "verifying runs")


def read_verified(folder: Path) -> Verified:
    """The verdict of the verifying runs in `folder`."""
    return read_json(folder / VERIFY, Verified)


def verified_runs(folders: Iterable[Path], verifying: Iterable[Verifying]) -> dict[Verifying, Verified]:
    """The verdicts of those of `verifying` that have one of `folders` (`<variant>/<spec>`)."""
    there = {(folder.parent.name, folder.name): folder for folder in folders}
    named = {(run.variant, run.spec): run for run in verifying}
    return {run: read_verified(there[name]) for name, run in named.items() if name in there}
