"""Times and sizes of fio that it takes, and reads as something else: `1.5s` is 1 s to it, `1.5m` one byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuselab.schema import units

TIMES = frozenset(
    (
        "latency_target", "latency_window", "max_latency", "ramp_time", "rate_cycle", "runtime", "ss_dur",
        "ss_ramp", "startdelay", "steadystate_duration", "steadystate_ramp_time", "thinktime",
        "thinktime_iotime", "thinktime_spin", "timeout",
    )
)  # fmt: skip
SIZES = frozenset(
    (
        "ba", "blockalign", "blocksize", "blocksize_range", "bs", "bs_range", "bsrange", "file_size",
        "filesize", "io_limit", "io_size", "iosize", "offset", "offset_increment", "rate", "rate_iops", "rate_min",
        "size", "zonerange", "zonesize", "zoneskip",
    )
)  # fmt: skip
_NEVER_ZERO = frozenset(("runtime", "timeout", "size", "bs", "blocksize"))
"""Where nothing is not a number: fio takes it for an option that is not there, or fails when it runs."""
_ODD_UNIT = re.compile(r"(?!0x)[0-9]+(?!(?:[kmgtp]?i?b?(?:/s)?|z|%)$)[ a-z/]+", re.IGNORECASE)
"""fio takes the number and says nothing of what follows it."""
_FRACTION = re.compile(r"[0-9]*\.[0-9]+[a-z]*", re.IGNORECASE)
_ZERO = re.compile(r"0+(\.0*)?[a-z%]*", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """Why an option may not be what is written, with the right spelling where one is meant."""

    reason: str
    mend: str | None = None
    of_value: bool = False
    """Whether fio reads another value than is written; otherwise the option may not stand there like that."""


def fault(name: str, text: str) -> Fault | None:
    """Why the option `name` may not be `text`; None if it may."""
    if name not in TIMES | SIZES:
        return None
    noun = "time" if name in TIMES else "size"
    if name in _NEVER_ZERO and _ZERO.fullmatch(text):
        return Fault(f"a {noun} of nothing: '{name}' is more than 0", of_value=True)
    words = re.split(r"([,:-])", text)
    if name in SIZES and (odd := next((word for word in words if _ODD_UNIT.fullmatch(word)), None)):
        joined = text.replace(" ", "")
        close = None if _ODD_UNIT.fullmatch(odd.replace(" ", "")) else joined
        reason = f"'{odd}' has no unit that fio knows, which takes the number alone: k, m, g and t are"
        return Fault(reason, close, of_value=True)
    broken = [word for word in words if _FRACTION.fullmatch(word)]
    if not broken:
        return None
    mended = [units.whole(noun, word) if word in broken else word for word in words]
    close = None if None in mended else "".join(word for word in mended if word is not None)
    write = f": write {close}" if close else f": write a whole number in a smaller unit of {noun}"
    return Fault(
        f"fio reads no fractions, and takes '{text}' for something else{write}", close, of_value=True
    )
