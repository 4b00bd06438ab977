"""Reads `counters:` of a target or a service: what a program counts itself, and where that can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuselab.schema.argvs import check_argv
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.reading import given
from fuselab.schema.yaml_source import Key
from fuselab.targets import placeholders
from fuselab.targets.model import CounterSource


def read_counters(
    diagnostics: Diagnostics, data: Mapping[str, Any], known: frozenset[str], below: Key = ()
) -> tuple[CounterSource, ...]:
    """`counters` of `data`, the part `below` of a file that has been held against its schema; `known` are its
    placeholders."""
    sources = data.get("counters", ())
    for number, part in enumerate(sources):
        at = (*below, "counters", number)
        for key in ("http", "file", "argv"):
            placeholders.check_texts(diagnostics, (*at, key), part.get(key), known)
        check_argv(diagnostics, (*at, "argv"), part.get("argv"))
        if part.get("by") and part.get("format") not in (None, "prometheus"):
            message = f"only 'prometheus' has labels, and the format is '{part['format']}': leave 'by' out"
            diagnostics.add((*at, "by"), message, of_key=True)
    return tuple(
        CounterSource(**given(diagnostics.source, CounterSource, part, (*below, "counters", number)))
        for number, part in enumerate(sources)
        if not diagnostics.broken_below((*below, "counters", number))
    )
