"""Numbers and verdicts as a reader meets them: every number with its unit, never more digits than it carries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from fuselab import workloads
from fuselab.words import by_factor as by_factor
from fuselab.workloads.metric import Phrase

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

_CODE = re.compile(r"`([^`]+)`")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_TIME = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_BYTES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
_COUNT = ((1e9, "G"), (1e6, "M"))
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_BYTE_UNITS = {
    "B": 1,
    "bytes": 1,
    "byte": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "kB": 1000,
    "MB": 10**6,
}
_RATES = {f"{name}/s": size for name, size in _BYTE_UNITS.items()}
_SHARES = {"share": 100.0, "%": 1.0}
_PLAIN_COUNTS = {"1", "", "count"}
_SELDOM = 0.1
_MOST_EVENTS, _MOST_OPERATIONS = 9, 10_000
"""Of a rate that is told exactly: larger numbers say less than a rounded one."""
_ZEROS = re.compile(r"(?:\.|(\.\d*[1-9]))0+(?!\d)")
_WHOLE = re.compile(r"(?<![\d.,+\-])(\d+)\.0(?= ?%(?!\w))")
_NEGATIVE = re.compile(r"(?<![\w.)\]])-(?=\d+(?:\.\d+)? ?%(?!\w))")
_PERCENT = re.compile(r"(?<=\d) ?%(?!\w)")


def number(value: float, digits: int = 3) -> str:
    """`value` with about `digits` significant digits, thousands grouped, a true minus sign."""
    if not math.isfinite(value):
        return "none"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", "\N{NARROW NO-BREAK SPACE}")


def quantity(value: float | None, unit: str) -> str:
    """`value` in the prefix that reads best; None and NaN are `none`."""
    if value is None or not math.isfinite(value):
        return "none"
    if value == 0 and unit not in _PLAIN_COUNTS | _SHARES.keys():
        return f"0{NBSP}{'B' if unit in ('bytes', 'byte') else unit}"
    for units, scale in ((_NANOSECONDS, _TIME), (_BYTE_UNITS, _BYTES), (_RATES, _BYTES)):
        if unit in units:
            per = "/s" if units is _RATES else ""
            return _scaled(value * units[unit], scale, per)
    if unit in _SHARES:
        value *= _SHARES[unit]
        return f"{number(value, 2 if abs(value) < 1 else 3)}{NBSP}%"
    if unit in _PLAIN_COUNTS:
        return count(value)
    if unit in ("iops", "IOPS", "1/s", "ops/s"):
        return f"{count(value)}{NBSP}{'IOPS' if unit.lower() == 'iops' else '1/s'}"
    return f"{number(value)}{NBSP}{unit}"


def figure(value: float | None, unit: str) -> str:
    """`quantity` in running text, without zeros at its end: `1.5`, `0.01`, `4 KiB`."""
    return _ZEROS.sub(r"\1", quantity(value, unit))


def seldom(rate: float) -> tuple[str, str] | None:
    """(events, operations) of fewer than one event in ten operations: `1` in `128`, `about 1` in `91`; else None.

    Exact where a count of few in as many as `rate` can be of gives it.
    """
    if not 0 < rate < _SELDOM:
        return None
    exact = Fraction(rate).limit_denominator(_MOST_OPERATIONS)
    if exact.numerator <= _MOST_EVENTS and math.isclose(exact, rate, rel_tol=1e-9):
        return count(exact.numerator), count(exact.denominator)
    return "about 1", count(float(f"{1 / rate:.2g}"))


def _scaled(value: float, scale: tuple[tuple[float, str], ...], per: str) -> str:
    factor, unit = next(((f, u) for f, u in scale if abs(value) >= f), scale[-1])
    return f"{number(value / factor)}{NBSP}{unit}{per}"


def scale_for(unit: str, largest: float) -> tuple[float, str]:
    """(divisor, unit) for an axis whose largest value is `largest`, given in `unit`."""
    for units, scale in ((_NANOSECONDS, _TIME), (_BYTE_UNITS, _BYTES), (_RATES, _BYTES)):
        if unit in units:
            factor, name = next(((f, u) for f, u in scale if largest * units[unit] >= f), scale[-1])
            return factor / units[unit], name + ("/s" if units is _RATES else "")
    return 1.0, unit


def count(value: float) -> str:
    if value != int(value):
        return number(value)
    for factor, prefix in _COUNT:
        if abs(value) >= factor * 10:
            return f"{number(value / factor)}{NBSP}{prefix}"
    return f"{int(value):,}".replace("-", MINUS).replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(share: float, signed: bool = False) -> str:
    """`share` 0.31 is `31 %`: no decimals from 10 % up, one below, none where it is a whole number."""
    text = _bare(share, signed)
    return f"{text.removesuffix('.0')}{NBSP}%"


def percents(text: str) -> str:
    """Prose from elsewhere with its percentages as this page writes them: `5.0%` is `5 %`, `-1.2%` is `−1.2 %`."""
    return _PERCENT.sub(f"{NBSP}%", _NEGATIVE.sub(MINUS, _WHOLE.sub(r"\1", text)))


def _bare(share: float, signed: bool = False, decimals: int | None = None) -> str:
    """In percent, without its sign of percent."""
    value = share * 100
    places = (0 if abs(value) >= 9.95 else 1) if decimals is None else decimals
    text = f"{abs(value):.{places}f}"
    zero = float(text) == 0
    sign = MINUS if value < 0 and not zero else ("+" if signed and not zero else "")
    return "0" if zero else sign + text


def _span(low: float, high: float, signed: bool = False) -> str:
    """`28 to 35 %`: both ends with the same decimals, as many as it takes to tell them apart, two at most."""
    decimals = _decimals(low, high)
    return f"{_bare(low, signed, decimals)} to {_bare(high, signed, decimals)}{NBSP}%"


def _decimals(low: float, high: float) -> int:
    largest = max(abs(low), abs(high))
    return 0 if largest >= 0.0995 and high - low >= 0.01 else 1 if high - low >= 0.001 else 2


def _times(low: float, high: float) -> str:
    digits = _digits(low, high)
    return f"{number(low, digits)} to {number(high, digits)}{NBSP}{TIMES}"


def _digits(low: float, high: float) -> int:
    return next((d for d in (2, 3, 4) if number(low, d) != number(high, d)), 4)


def level(value: float) -> str:
    """A level of confidence, 0.978 or 97.8, as `97.8 %`."""
    share = value * 100 if value <= 1 else value
    return f"{share:.1f}".removesuffix(".0") + f"{NBSP}%"


def revision(commit: str, dirty: bool) -> str:
    return f"revision {commit[:12]}{' with uncommitted changes' if dirty else ''}"


def period(first: str, last: str) -> str:
    """Two moments `YYYY-MM-DD HH:MM` in UTC as `2026-03-01 22:14 to 23:02 UTC`; empty without them."""
    if not first:
        return ""
    day, _, time = last.partition(" ")
    until = "" if last == first else f" to {time if first.startswith(day) else last}"
    return f"{first}{until} UTC"


def plural(amount: int, noun: str) -> str:
    return f"{amount}{NBSP}{noun}" + ("" if amount == 1 else "s")


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""


def names(items: Iterable[str]) -> str:
    """`listing` of names, each between backticks."""
    return listing([f"`{item}`" for item in items])


def slug(*names: str) -> str:
    """The names as one that is safe in a file's name, an id and a selector: `seq-write`, `write.bw` is
    `seq-write-write-bw`."""
    return "-".join(_UNSAFE.sub("-", name).strip("-") for name in names)


def capital(text: str) -> str:
    """`text` as a sentence begins; `p99` and names between backticks stay as they are."""
    return text[:1].upper() + text[1:] if text[1:2].isalpha() else text


def change(ratio: float) -> str:
    """A ratio as a signed change; from a doubling or a halving on, as a factor."""
    return change_beside(ratio, ratio, ratio)


def change_interval(low: float, high: float) -> str:
    """`−35 to −28 %`, `2.7 to 3.1 ×` or `0.16 to 0.17 ×`."""
    return _times(low, high) if by_factor(low, low, high) else _span(low - 1, high - 1, signed=True)


def change_beside(ratio: float, low: float, high: float) -> str:
    """A ratio in the form that `change_interval` gives the interval beside it."""
    if by_factor(ratio, low, high):
        return _factor(ratio, low, high)
    return _share(ratio - 1, low - 1, high - 1, signed=True)


def on_axis(ratio: float, ticks: Sequence[float]) -> str:
    """One of the `ticks` of an axis of ratios: all of them are factors, or all percent."""
    low, high = min(ticks, default=ratio), max(ticks, default=ratio)
    return "no change" if ratio == 1 else change_beside(ratio, low, high)


def estimate(ratio: float, low: float, high: float) -> str:
    """`−31 % (−35 to −28 %)` or `1.9 × (1.7 to 2.2 ×)`."""
    return f"{change_beside(ratio, low, high)} ({change_interval(low, high)})"


def _factor(ratio: float, low: float, high: float) -> str:
    """With as many digits as its interval: with fewer it may seem to lie outside."""
    return f"{number(ratio, _digits(low, high) if low < high else 2)}{NBSP}{TIMES}"


def _share(share: float, low: float, high: float, signed: bool = False) -> str:
    """As `percent`, with no fewer decimals than its interval."""
    if high - low >= 0.01 or low >= high:
        return percent(share, signed)
    return f"{_bare(share, signed, _decimals(low, high)).removesuffix('.0')}{NBSP}%"


def phrase(metric: str) -> Phrase:
    """Words for a metric by its name; unknown ones are called by their own name."""
    return workloads.quantity(metric).phrase


def plain_noun(metric: str) -> str:
    """What a metric is called where nothing is marked as code: in headings and figures."""
    return phrase(metric).noun.replace("`", "")


def magnitude(ratio: float, low: float, high: float) -> tuple[str, str]:
    """(size, interval) of a change in the direction of `ratio`, without sign: `31 %`, `28 to 35 %`.

    Where any of it is a doubling or a halving both are factors: `3.4 ×`, `3.1 to 3.8 ×`.
    """
    if by_factor(ratio, low, high):
        return _factor(ratio, low, high), _times(low, high)
    if ratio < 1:
        return _share(1 - ratio, 1 - high, 1 - low), _span(1 - high, 1 - low)
    return _share(ratio - 1, low - 1, high - 1), _span(low - 1, high - 1)


def pieces(text: str) -> list[tuple[str, bool]]:
    """`text` in turn as prose and as what stands between backticks; whether a piece is the latter."""
    return [(piece, bool(i % 2)) for i, piece in enumerate(_CODE.split(text))]


def prose(text: str) -> str:
    """`text` as text in Markdown, with what stands between backticks as code, as it is."""
    return "".join(f"`{piece}`" if code else markdown(piece) for piece, code in pieces(text))


def markdown(text: str) -> str:
    """`text` as text in Markdown, in a table's cell too: nothing in it ends the cell, opens a tag or marks up."""
    escaped = "".join("\\" + character if character in "\\|`*_[]#" else character for character in text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
