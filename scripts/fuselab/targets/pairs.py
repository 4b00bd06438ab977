"""Backends that are pairs: one store for metadata and one for data, each of which says what a backend says.

They are made here, where a target is read: behind it a pair is a backend like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product

from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key
from fuselab.targets.model import (
    MOST_MEMBERS,
    ONLY,
    STORES,
    Backend,
    CounterSource,
    fill,
    pair_name,
    port_name,
)


def pairs(diagnostics: Diagnostics, stores: Mapping[str, Mapping[str, Backend]]) -> Iterator[Backend]:
    """Each of `stores["meta"]` with each of `stores["data"]`; what both of two set is a diagnostic."""
    parts = [[_named(store, backend) for backend in stores[store].values()] for store in STORES]
    for meta, data in product(*parts):
        _check(diagnostics, meta, data)
        yield Backend(
            name=pair_name(meta.name, data.name),
            services=(*meta.services, *data.services),
            argv=(*meta.argv, *data.argv),
            env=tuple({**dict(meta.env), **dict(data.env)}.items()),
            persists=meta.persists and data.persists,
            counters=tuple(dict.fromkeys((*meta.counters, *data.counters))),
        )


def _named(store: str, backend: Backend) -> Backend:
    """One of a pair, its only service called by what it is to the pair, and so is its `{port}`."""
    if dict(backend.services).keys() != {ONLY}:
        return backend
    numbers = range(1, MOST_MEMBERS + 1)
    values = {port_name(ONLY, number): f"{{{port_name(store, number)}}}" for number in numbers}

    def named(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(fill(word, values) for word in words)

    def source_named(source: CounterSource) -> CounterSource:
        return replace(
            source, http=fill(source.http, values), file=fill(source.file, values), argv=named(source.argv)
        )

    return replace(
        backend,
        services=((store, backend.services[0][1]),),
        argv=named(backend.argv),
        env=tuple((name, fill(text, values)) for name, text in backend.env),
        counters=tuple(map(source_named, backend.counters)),
    )


def _check(diagnostics: Diagnostics, meta: Backend, data: Backend) -> None:
    """What two stores both set, said at the second."""
    both = f"`{STORES[0]}` '{meta.name}' and `{STORES[1]}` '{data.name}' both"
    at: Key = (STORES[1], data.name)
    for role in dict(data.services).keys() & dict(meta.services).keys():
        message = f"{both} have a service `{role}`: call one of them by another word, in its `services`"
        diagnostics.add((*at, "services", role), message, of_key=True)
    env = dict(meta.env)
    for name, text in data.env:
        if env.get(name, text) != text:
            message = (
                f"{both} set {name}, to '{env[name]}' and to '{text}': a pair has one value of a variable"
            )
            diagnostics.add((*at, "env", name), message, of_key=True)
    options = {_option(word) for word in meta.argv}
    for i, word in enumerate(data.argv):
        if (option := _option(word)) and option in options:
            message = f"{both} say `{option}`: what both need stands in `mount.argv`, once"
            diagnostics.add((*at, "argv", i), message)


def _option(word: str) -> str:
    """`--option` of `--option=value`; "" for other words. Short ones, such as `-o`, may well stand there twice."""
    return word.partition("=")[0] if word.startswith("--") else ""
