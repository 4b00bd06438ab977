"""Programs that are called and are not on this machine, for whoever only looks at files: another one may measure."""

from __future__ import annotations

from collections.abc import Iterable

from fuselab.doctor.base import Line, note
from fuselab.experiment.needs import Need


def notes(needs: Iterable[Need]) -> list[Line]:
    return [note(need.of, _words(need)) for need in needs if not need.here]


def _words(need: Need) -> str:
    match need.role:
        case "built with":
            return f"`{need.program}` is not on PATH here, and it is built with it: {need.mend}"
        case "asked":
            return f"{need.program} is not on PATH here, and could not be asked how it reads this load"
    where = "is not there" if "/" in need.program else "is not on PATH here"
    return f"`{need.program}` {where}: the machine that measures needs it"


def shown(line: Line) -> str:
    return f"note: {line.what}: {line.text}"
