"""Whether fio means by an option what is written, from what it says that it took."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from fuselab.schema import units
from fuselab.workloads.fio import parse_only, rules, timing
from fuselab.workloads.fio.numbers import Fault
from fuselab.workloads.fio.parse_only import Section, Taken

_COUNTS = ("numjobs", "iodepth")
_RATES = ("rate", "rate_iops")
_SECONDS = ("runtime", "ramp_time")
"""What fuselab itself works with: it must read in them what fio does."""


def misunderstood(name: str, taken: Taken) -> Fault | None:
    """As `rules.fault`, of what fio took: a number that is none to it (`1min` is a microsecond), or another one."""
    text = taken.value
    # A bare number is seconds to some options and microseconds to others: fio's reading is what it means.
    if taken.time and len(taken.numbers) == 1 and (name in _SECONDS or not text.isdigit()):
        meant = units.nearest("whole time", text) or (text if timing.seconds(text) is not None else None)
        meant_s = None if meant is None else timing.seconds(meant)
        if meant_s is not None and round(meant_s * 1e6) != taken.numbers[0]:
            return Fault(f"fio reads '{text}' as {taken.numbers[0]} microseconds", meant, of_value=True)
        if meant_s is None and name in _SECONDS:
            return Fault(
                f"'{text}' is no time that fuselab can read: write a number and its unit, 3s or 500ms"
            )
    if name in _COUNTS and taken.numbers and text != str(taken.numbers[0]):
        return Fault(f"fio reads '{text}' as {taken.numbers[0]}", str(taken.numbers[0]), of_value=True)
    return rules.fault(name, text)


def numbers(name: str, texts: Sequence[str]) -> list[float | None]:
    """Values of one option as numbers: fio's own where it takes them all, else by their units."""
    read = parse_only.sections(parse_only.job_text({f"v{i}": {name: text} for i, text in enumerate(texts)}))
    if read is None:
        return units.amounts(texts)
    taken = [next(iter(section.options.values()), None) for section in read]
    return [float(one.numbers[0]) if one and one.numbers else None for one in taken]


def settled(name: str, taken: Taken) -> str:
    """The text of an option in a spelling that fuselab's own readers know: `3 sec` is `3s`, a rate of `1MB` 1048576."""
    text = taken.value
    if name in _SECONDS and timing.seconds(text) is None:
        return units.nearest("whole time", text) or text
    if name in _RATES and text.count(",") + 1 == len(taken.numbers):
        known = all(re.fullmatch("[0-9]+[kmg]?", word.lower()) for word in text.split(","))
        return text if known else ",".join(map(str, taken.numbers))
    return text


def other_names(written: Mapping[str, str], section: Section) -> dict[str, str]:
    """Each written option by fio's own name for it; one that fio reads otherwise is left out."""
    found = {}
    for name, text in written.items():
        same = (
            other for other, taken in section.options.items() if taken.value == text and other not in written
        )
        if (known := name if name in section.options else next(same, None)) is not None:
            found[name] = known
    return found
