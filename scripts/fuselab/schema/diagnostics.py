"""Collects the faults of one file: each with its place, the nearest spelling and the corrected lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher, get_close_matches
from typing import Any

import yaml

from fuselab.schema.errors import ExperimentErrors, Fix, Problem
from fuselab.schema.yaml_source import Key, Span, YamlSource


class Diagnostics:
    """What is wrong with `source` so far."""

    def __init__(self, source: YamlSource) -> None:
        self.source = source
        self._problems: list[Problem] = list(source.problems)
        self._at: set[Key] = {()} if source.problems else set()
        self._around: set[Key] = {()} if source.problems else set()
        """Where a fault is known, and every place around one."""
        for at in source.broken:
            self._mark(at)

    def add(
        self,
        at: Key,
        message: str,
        *,
        of_key: bool = False,
        allowed: Iterable[str] = (),
        suggestion: str | None = None,
        corrected: str | None = None,
        sure: bool = False,
    ) -> None:
        """A fault of the value at `at`, or of the key itself (`of_key`).

        `suggestion` takes its place in the corrected lines, unless these are given; it is `sure` where nothing else can
        be meant. Where a fault is known
        already, or around it, none is added: it would be a consequence.
        """
        written = self.source.as_written(at, of_key=of_key)
        if self.broken(at) or self.broken(written):
            return
        span = self.source.span(at, of_key=of_key)
        fix = None
        if corrected is None and suggestion is not None:
            corrected = self._replaced(at, span, suggestion)
            fix = self._fix(span, suggestion) if sure else None
        value = self.source.texts.get(at, "") if not of_key else str(at[-1] if at else "")
        problem = self.source.problem(span, message, *written, value=value)
        problem = replace(
            problem, allowed=tuple(allowed), suggestion=suggestion, corrected_yaml=corrected, fix=fix
        )
        self._note((at, written), problem)

    def _note(self, places: Iterable[Key], problem: Problem) -> None:
        self._problems.append(problem)
        for at in places:
            self._mark(at)

    def _mark(self, at: Key) -> None:
        self._at.add(at)
        self._around.update(at[:length] for length in range(len(at) + 1))

    def unknown(
        self,
        at: Key,
        noun: str,
        known: Iterable[str],
        *,
        of_key: bool = False,
        why: str = "",
        name: str | None = None,
    ) -> None:
        """A name that is none of `known`: says the nearest, and lists them all."""
        if name is None:
            name = str(at[-1]) if of_key else self.source.texts.get(at, "")
        choices = sorted(dict.fromkeys(known))
        close = near(name, choices)
        message = f"unknown {noun} '{name}'{why}{hint(close)}"
        sure = only_near(name, choices)
        self.add(at, message, of_key=of_key, allowed=choices, suggestion=close, sure=sure)

    def adopt(self, problems: Iterable[Problem]) -> None:
        """Faults of another file that this one needs."""
        for problem in problems:
            self._note([("",)], problem)

    def broken(self, at: Key) -> bool:
        """Whether a fault is known at `at` or around it."""
        return any(at[:length] in self._at for length in range(1, len(at) + 1))

    def broken_below(self, at: Key) -> bool:
        """Whether a fault is known at `at` or inside it."""
        return at in self._around

    def problems(self) -> list[Problem]:
        return list(self._problems)

    def raise_if_any(self) -> None:
        if self._problems:
            raise ExperimentErrors(self.problems())

    def _fix(self, span: Span, text: str) -> Fix | None:
        """`text` in the place of what stands at `span`; None where that is not on one line."""
        if span.end_column is None or span.end_column <= span.column or span.line > len(self.source.lines):
            return None
        old = self.source.lines[span.line - 1][span.column - 1 : span.end_column - 1]
        return Fix(span.line, span.column, old, text)

    def _replaced(self, at: Key, span: Span, text: str) -> str | None:
        """The line with `text` in the place of what stands at `span`; None where it is not on one line."""
        if span.end_column is None or span.line > len(self.source.lines):
            return f"{at[-1]}: {text}" if at else None
        line = self.source.lines[span.line - 1]
        before = line[: span.column - 1]
        return before + (" " if before.endswith(":") else "") + text + line[span.end_column - 1 :]


def hint(close: str | None) -> str:
    """The end of a message about a name: what is `near`, if anything."""
    return f"; did you mean '{close}'?" if close else ""


def near(name: str, choices: Sequence[str]) -> str | None:
    """The choice that `name` is most likely a slip of; None if none is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    folded = name.lower().replace("_", "-")
    for lower, choice in by_lower.items():
        if lower.replace("_", "-") == folded:
            return choice
    # `targets/demofs` names what lies there, `p99` the one metric that ends so.
    path = name.lower().split("/") if re.match(r"(\.*|targets|services|experiments)/", name) else []
    parts = [by_lower[part] for part in reversed(path) if part in by_lower]
    ends = [choice for choice in choices if choice.endswith(f".{name}")]
    if parts or len(ends) == 1:
        return (parts or ends)[0]
    alike = get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)
    close = [lower for lower in alike if _is_slip(name.lower(), lower)]
    # `environment` for `env` is nearer than its letters say.
    longer = [lower for lower in by_lower if len(lower) > 2 and folded.startswith(lower)]
    return next((by_lower[lower] for lower in (*close, *longer)), None)


_VERY_LIKE = 0.75


def _is_slip(name: str, choice: str) -> bool:
    """Whether one that is somewhat like `choice` was to be it: a slip hardly ever begins with another letter, but for
    `read.p99` where the load writes."""
    same = name[:1] == choice[:1] or name in choice or choice in name
    same = same or ("." in name and name.split(".")[1:] == choice.split(".")[1:])
    return same or SequenceMatcher(None, name, choice).ratio() >= _VERY_LIKE


def only_near(name: str, choices: Sequence[str]) -> bool:
    """Whether what is `near` is so alone: nothing else is about as much like `name`."""
    close = near(name, choices)
    if close is None:
        return False
    likeness = {choice: SequenceMatcher(None, name.lower(), choice.lower()).ratio() for choice in choices}
    return all(likeness[close] - ratio > _CLEARLY for choice, ratio in likeness.items() if choice != close)


_CLEARLY = 0.1
"""By how much of its letters a slip is nearer to one name than to all others, where that one is surely meant."""


def flow(value: Any) -> str:
    """`value` as YAML on one line: `{rw: write, bs: 128k}`."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()
