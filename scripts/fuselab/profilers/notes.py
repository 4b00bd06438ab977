"""What several captures say alike is said once: with the range of its figures, and how many captures it is about."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_FIGURE = re.compile(r"(?<![\w./:-])\d+(?:,\d{3})*(?:\.\d+)?(?=%|[,.;:)]*(?:\s|$))")
"""Figures that stand for themselves, not those within a name or a path."""
_SENTENCE_END = re.compile(r"\.\s+(?=[A-Z])")
_Said = list[tuple[int, str]]
"""(number of the capture, note)."""


def said_once(by_capture: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """The notes of each capture as the notes of all, in the order in which they first come up.

    Notes are one if their first sentences are, but for figures: `5 to 7 of 40 spans were still open.` What follows
    that sentence is as most captures have it. Notes that only some captures make say in how many.
    """
    alike: dict[str, _Said] = defaultdict(list)
    for number, notes in enumerate(by_capture):
        for note in dict.fromkeys(notes):
            first = _SENTENCE_END.split(note, maxsplit=1)[0]
            alike[_FIGURE.sub("#", first)].append((number, note))
    return tuple(_one(said, len(by_capture)) for said in alike.values())


def _one(said: _Said, captures: int) -> str:
    by_shape: dict[str, list[str]] = defaultdict(list)
    for _, note in said:
        by_shape[_FIGURE.sub("#", note)].append(note)
    usual = max(by_shape.values(), key=lambda notes: (len(notes), len(notes[0])))
    # The first sentence is the same in all, so its figures are those of all of them.
    first = _ranges([_SENTENCE_END.split(note, maxsplit=1)[0] for _, note in said])
    rest = _ranges(usual)[len(_ranges([_SENTENCE_END.split(note, maxsplit=1)[0] for note in usual])) :]
    about = len({number for number, _ in said})
    return f"{first}{rest}" if about == captures else f"In {about} of {captures} captures: {first}{rest}"


def _ranges(texts: Sequence[str]) -> str:
    """One text for several that differ in their figures."""
    columns = iter(list(zip(*(_FIGURE.findall(text) for text in texts), strict=True)))
    return _FIGURE.sub(lambda _: _range(next(columns)), texts[0])


def _range(figures: Sequence[str]) -> str:
    ordered = sorted(set(figures), key=lambda figure: float(figure.replace(",", "")))
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
