"""Packages that a source refers to by a path that leads out of it: they are compiled with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def outside(source: Path, manifests: Iterable[Path]) -> list[Path]:
    """Their folders, in order; `manifests` are the Cargo.toml files of `source`. What those refer to is in it, too."""
    root, beside = source.resolve(), set[Path]()
    queue = list(manifests)
    for manifest in queue:
        for folder in _by_path(manifest):
            if not folder.is_relative_to(root) and folder not in beside:
                beside.add(folder)
                queue.append(folder / "Cargo.toml")
    return sorted(beside)


def _by_path(manifest: Path) -> Iterator[Path]:
    import tomllib

    try:
        parts: list[Any] = [tomllib.loads(manifest.read_text())]
    except (OSError, ValueError):  # cargo says what is wrong with it
        return
    for part in parts:
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            parts += part.values()
            path = part.get("path")  # of a dependency, or of a program's main file
            if isinstance(path, str) and (manifest.parent / path / "Cargo.toml").is_file():
                yield (manifest.parent / path).resolve()
