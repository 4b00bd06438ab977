"""Durations and shares as people write them, and the nearest right spelling of what they meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from fractions import Fraction

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_WORDS = {
    "duration": {
        **dict.fromkeys(["us", "usec", "usecs", "microseconds", "µs"], "us"),
        **dict.fromkeys(["ms", "msec", "msecs", "millis", "milliseconds", "millisecond"], "ms"),
        **dict.fromkeys(["", "s", "sec", "secs", "second", "seconds"], "s"),
        **dict.fromkeys(["m", "min", "mins", "minute", "minutes"], "m"),
        **dict.fromkeys(["h", "hr", "hrs", "hour", "hours"], "h"),
    },
    "size": {
        **dict.fromkeys(["k", "kb", "kib", "kilo", "kilobytes", "kbyte", "kbytes"], "k"),
        **dict.fromkeys(["m", "mb", "mib", "mega", "megabytes", "mbyte", "mbytes", "meg"], "m"),
        **dict.fromkeys(["g", "gb", "gib", "giga", "gigabytes", "gbyte", "gbytes", "gig"], "g"),
        **dict.fromkeys(["t", "tb", "tib", "tera", "terabytes"], "t"),
        **dict.fromkeys(["b", "byte", "bytes"], ""),
    },
    "share": dict.fromkeys(["", "%", "percent", "pct", "per cent"], "%"),
}
_WORDS["delay"] = {**_WORDS["duration"], "": "ms"}
_WORDS["whole size"] = _WORDS["size"]
_WORDS["whole time"] = {**_WORDS["duration"], **dict.fromkeys(["d", "day", "days"], "d")}
_WHOLE = {
    "time": {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6},
    "size": {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40},
}
"""Units of what is read as whole numbers only: each in the smallest."""


def seconds(text: str) -> float:
    """`4ms` -> 0.004. The text has passed the schema's pattern; ValueError otherwise."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h)", text)
    if match is None:
        raise ValueError(f"not a duration: {text}")
    return float(match[1]) * _SECONDS[match[2]]


def bits_per_s(text: str) -> float:
    """`1gbit` -> 1e9, as tc(8) reads it. The text has passed the schema's pattern; ValueError otherwise."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmg]?)bit", text)
    if match is None:
        raise ValueError(f"not a rate: {text}")
    return float(match[1]) * {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}[match[2]]


def fraction(value: str | float) -> float:
    """`5%` -> 0.05; a number is one already. ValueError for anything else."""
    return float(value[:-1]) / 100 if isinstance(value, str) else float(value)


def nearest(kind: str, text: str) -> str | None:
    """What was probably meant as a `kind` (duration, size, share): `3 sec` -> `3s`; None if unclear."""
    match = re.fullmatch(r"\s*([0-9]+(?:[.,][0-9]+)?)\s*([^0-9\s]?.*?)\s*", text)
    units = _WORDS.get(kind)
    if match is None or units is None:
        return None
    word = match[2].lower()
    if word not in units:
        close = get_close_matches(word, [w for w in units if len(w) > 1], n=1, cutoff=0.75)
        if not close:
            return None
        word = close[0]
    meant = match[1].replace(",", ".") + units[word]
    if kind.startswith("whole ") and "." in meant:
        return whole(kind.rpartition(" ")[2], meant)
    return None if kind == "share" and not 0 < fraction(meant) < 1 else meant


_AMOUNT = re.compile(r"(.*?)([0-9]+(?:\.[0-9]+)?) ?([A-Za-zµ%]*)(?:/s)?")
_TIMES = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_SIZES = {"": 1.0, "%": 1.0, **{letter: 1024.0**power for power, letter in enumerate("kmgtp", 1)}}


def amounts(texts: Sequence[str]) -> list[float | None]:
    """Texts that differ in one number, as numbers in one unit: `4k` and `1m` are bytes, `wait=500us` and `wait=1ms`
    seconds. None of a text that has no number, a unit that is none, or something else in front of it than the first."""
    found = [_AMOUNT.fullmatch(text) for text in texts]
    timed = any(match and match[3] in _TIMES and match[3] != "m" for match in found)
    first = found[0][1] if found and found[0] else ""
    return [_amount(match, timed) if match and match[1] == first else None for match in found]


def _amount(match: re.Match[str], timed: bool) -> float | None:
    unit = match[3] if timed else re.sub(r"i?b$", "", match[3].lower())
    factor = (_TIMES if timed else _SIZES).get(unit, 1.0 if timed and not unit else None)
    return None if factor is None else float(match[2]) * factor


def whole(noun: str, text: str) -> str | None:
    """A time or size without a fraction: `1.5s` -> `1500ms`, `1.5m` -> `1536k`; None if no unit is small enough."""
    factors = _WHOLE[noun]
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)([a-z]*)", text.lower())
    unit = (match[2] or ("s" if noun == "time" else "")) if match else ""
    if noun == "size":
        unit = re.sub(r"i?b$", "", unit)
    if match is None or unit not in factors:
        return None
    smallest = Fraction(match[1]) * factors[unit]
    if smallest.denominator != 1 or not smallest:
        return None
    # In the unit it was written in, or the next smaller ones.
    for name in sorted(factors, key=lambda name: -factors[name]):
        if factors[name] <= factors[unit] and smallest % factors[name] == 0:
            return f"{smallest // factors[name]}{name}"
    return None
