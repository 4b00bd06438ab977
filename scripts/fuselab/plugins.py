"""Kinds of load and profilers of other packages, found by Python's entry points.

A folder on PYTHONPATH with a module and `NAME.dist-info/entry_points.txt` is enough:

    [fuselab.workloads]
    toy = toy_load:Toy

The name is for messages; what it stands for is a class without arguments, or an object. `importlib.metadata` is asked
only where a distribution has such a group: it takes 60 ms to load, and looking for one 2 ms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def registry(group: str, base: type[T], own: Iterable[T]) -> dict[str, T]:
    """By `name`: `own`, and what other packages have registered in `group`, each an instance of `base`.

    What cannot be loaded is said on standard error and left out: the rest of fuselab goes on without it.
    """
    found = {_name(entry): entry for entry in own}
    for label, entry in _registered(group):
        reason = _reason(entry, base, found)
        if reason is not None:
            print(f"fuselab: {group}: `{label}` is left out: {reason}", file=sys.stderr)
        elif isinstance(entry, base):
            found[_name(entry)] = entry
    return found


def sources() -> Iterator[tuple[str, Path]]:
    """(path below its folder of `sys.path`, file) of each module that another package registers, and of its package:
    what it makes is made by that code, too. Nothing is imported for it.
    """
    if not any(b"[fuselab." in text for text in _entry_points()):
        return
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    found = entry_points()
    points = (
        point for group in found.groups if group.startswith("fuselab.") for point in found.select(group=group)
    )
    for name in sorted({point.module.partition(".")[0] for point in points}):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin)
            folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
            for path in sorted({file, *(path for folder in folders for path in folder.rglob("*.py"))}):
                yield str(path.relative_to((folders[0] if folders else file).parent)), path


def _name(entry: object) -> str:
    return str(getattr(entry, "name", ""))


def _reason(entry: object, base: type, known: Iterable[str]) -> str | None:
    """Why `entry` cannot be taken."""
    if isinstance(entry, Exception):
        return f"{type(entry).__name__}: {entry}"
    if not isinstance(entry, base):
        return f"it is no {base.__name__} (`{base.__module__}`)"
    return f"there is a `{_name(entry)}` already" if _name(entry) in known else None


def _registered(group: str) -> Iterator[tuple[str, object]]:
    """(`toy = toy_load:Toy`, the object) of each entry; the exception where it cannot be loaded."""
    if not any(f"[{group}]".encode() in text for text in _entry_points()):
        return
    from importlib.metadata import entry_points

    for point in entry_points(group=group):
        try:
            entry = point.load()
            yield f"{point.name} = {point.value}", entry() if isinstance(entry, type) else entry
        except Exception as error:  # a stranger's module: whatever is wrong in it
            yield f"{point.name} = {point.value}", error


def _entry_points() -> tuple[bytes, ...]:
    """The text of every distribution's entry_points.txt."""
    return _texts(tuple(dict.fromkeys(sys.path)))


@cache
def _texts(folders: tuple[str, ...]) -> tuple[bytes, ...]:
    found = []
    for folder in folders:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                try:
                    found.append(Path(folder, name, "entry_points.txt").read_bytes())
                except OSError:
                    continue
    return tuple(found)
