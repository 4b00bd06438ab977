"""What failed is tried anew by the next call: it is set aside before Snakemake looks what is there.

A measurement that is there is never made again, and a failure is none. The job that tries again finds here what was
measured well beside the failure, and how often it has failed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from fuselab.errors import UnreadableError
from fuselab.measuring.aside import Aside, place_aside
from fuselab.records.block import BlockRecord, read_block, standing
from fuselab.records.capture import read_capture
from fuselab.records.places import BLOCK, VERIFY
from fuselab.records.verified import read_verified

ANEW = "tried-anew.txt"
"""In a folder that was set aside because of a failure, until it has been tried anew."""
_WORDS = "failed, and is tried anew"


def failed(folders: Iterable[Path]) -> Iterator[Aside]:
    """Those of `folders` (results/<experiment>/...) that hold a failure and no result.

    Of blocks: of a workload in which somebody never completed a run. Who completes some has a rate, which is a result.
    """
    series: dict[Path, dict[Path, BlockRecord]] = {}
    for folder in folders:
        with suppress(OSError, UnreadableError):  # not there, or no record: no failure of the variant
            if (folder / BLOCK).is_file():
                series.setdefault(folder.parent, {})[folder] = read_block(folder)
            elif _status(folder) == "failed":
                yield Aside(folder, f"{folder} {_WORDS}", ANEW)
    for found in series.values():
        names = {name for record in found.values() for name in record.variants}
        never = {name for name in names if standing(list(found.values()), name).completed == 0}
        yield from (
            Aside(folder, f"{folder}: {_who(record, never)} {_WORDS}", ANEW)
            for folder, record in found.items()
            if never & record.variants.keys()
        )


def _who(record: BlockRecord, never: set[str]) -> str:
    lost = [name for name, outcome in record.variants.items() if name in never and outcome.status == "failed"]
    return " and ".join(lost) or "what is compared"


def _status(folder: Path) -> str:
    if (folder / VERIFY).is_file():
        return read_verified(folder).status
    return read_capture(folder).status


def kept(out: Path) -> Path | None:
    """What was set aside, because of a failure, of the measurement at `out` (results/<experiment>/...)."""
    found = place_aside(out).glob(f"*/{ANEW}")
    return max((path.parent for path in found), key=lambda path: int(path.name), default=None)


def done(folder: Path) -> None:
    """`folder`, which was set aside, has been tried anew: from now on it is an attempt like others."""
    (folder / ANEW).unlink(missing_ok=True)
