"""Text that somebody else wrote (a target's log, a span's name, a file's), made safe before it is shown or handed on.

Whatever reaches a terminal, a page or a table goes through here once, where it enters: nothing behind it asks again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEQUENCE = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?              # CSI: colours, cursor, clearing
  | (?: \x1b[\]PX^_] | [\x9d\x90\x98\x9e\x9f] )           # OSC, DCS, SOS, PM, APC: titles, clipboard, links ...
        [^\x07\x1b\x9c\n]* (?: \x07 | \x1b\\ | \x9c )?    # ... up to their end, or to the line's
  | \x1b [ -/]* [0-~]?                                    # the two and three letter ones
    """,
    re.VERBOSE,
)
"""Escape sequences of ECMA-48, whole: without its ESC a colour is `[2;3m`, which makes a log unreadable."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing: it hides what stands there
    "\ufeff\ufffe\uffff]"  # no XML has these
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_ONE = r"[+-]?(?:\d[\d.,]*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"{_ONE}(?: to {_ONE})?\s?[%×]?|[+-]?(?:inf|nan)", re.IGNORECASE)
"""An interval too."""
_TELLING = re.compile(
    rb"(?:\b|\x1b\[[\d;]*m)(?:ERROR|WARN|WARNING|FATAL|CRITICAL|PANIC)\b"
    rb"|\bpanicked at\b|\b[Ee]rror:|\bfatal:|^Traceback|\b[Aa]ssertion\b"
)


def plain(text: str) -> str:
    """`text` without escape sequences, control characters (but tab and line feed) and marks of writing direction.

    A carriage return ends a line, as it does for the eye: progress bars become lines. What is no Unicode
    (surrogates of undecodable bytes) becomes U+FFFD. The result can stand in XML.
    """
    if text.isascii() and text.isprintable():
        return text
    whole = _SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", whole))


def name(text: str) -> str:
    """`plain`, in one line: what a function, a thread or a span is called."""
    if text.isascii() and text.isprintable():
        return text
    return plain(text).replace("\n", " ").replace("\t", " ")


def cell(text: str) -> str:
    """`text` as a cell of a CSV: one that a spreadsheet would calculate gets an apostrophe before it. Numbers stay.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def telling_lines(log: bytes, most: int) -> list[str]:
    """The last `most` lines of a log that speak of an error or a warning, as plain text."""
    found = [line for line in log.splitlines() if _TELLING.search(line)]
    return last_lines(b"\n".join(found[-most:]), most)


def last_lines(log: bytes, most: int) -> list[str]:
    """The last `most` lines of a log that say anything, as plain text."""
    lines = plain(log.decode(errors="replace")).split("\n")
    return [line.rstrip() for line in lines if line.strip()][-most:]


def last_words(telling: Sequence[str], last: Sequence[str], most: int) -> list[str]:
    """`most` lines for an error message: those that tell of an error go before the very last ones, in their order.

    `last` is where a log ends; `telling` lines that stand there are not said twice. A gap is marked by `...`.
    """
    missing = [line for line in telling if line not in last]
    if not missing:
        return list(last[-most:])
    chosen = missing[-(most // 2) :]
    return [*chosen, "...", *last[-(most - len(chosen) - 1) :]]
