"""capture.json: whether there is a capture, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuselab.errors import Fault
from fuselab.files import read_json
from fuselab.records.places import CAPTURE


@dataclass(frozen=True)
class CaptureRecord:
    status: Literal["ok", "failed"]
    reason: str | None
    code: str = ""
    """Hash of the code that took it."""
    tries: int = 1
    fault: Fault | None = None
    """Of the last try, if it failed."""


def read_capture(folder: Path) -> CaptureRecord:
    return read_json(folder / CAPTURE, CaptureRecord)
