"""Schemas of a project for editors: with the names of its targets, backends, mount options, services and profilers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fuselab.files import write_atomically
from fuselab.paths import cache_folder
from fuselab.project import find
from fuselab.schema import schemas
from fuselab.schema.errors import ExperimentErrors
from fuselab.schema.reading import service_names, target_names
from fuselab.schema.yaml_source import read_yaml
from fuselab.targets.model import STORES, pair_names

FOLDER = Path(".fuselab/schema")
"""Below a project: made by `make setup` and `fuselab init`, and anew by `check`, `new`, `try` and `compare`."""
_NAMES = "x-names"
"""In a schema: which kind of names a value, or the keys of a mapping, are."""


def write(root: Path) -> None:
    """Write the schemas of the project `root` where they are not as they should be; nowhere where that is forbidden."""
    made_from = cache_folder() / "editors" / _hash(str(root.resolve()))
    with suppress(OSError):
        if made_from.read_bytes() == _state(root):
            return
    known = names(root)
    with suppress(OSError):
        for name in schemas.NAMES:
            text = json.dumps(with_names(schemas.bundled(name), known), indent=1, ensure_ascii=False) + "\n"
            path = _written(root, name)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, text)
        made_from.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(made_from, _state(root))


def _written(root: Path, name: str) -> Path:
    return root / FOLDER / f"{name}.schema.json"


def _state(root: Path) -> bytes:
    """A hash of the names, sizes and dates of all files that have a say in what is written, and of what was."""
    from fuselab import profilers

    targets, services = target_names(root), service_names(root)
    parts, added = schemas.parts()
    files = [
        *(find(root, f"targets/{name}/target.yaml") for name in targets),
        *(_written(root, name) for name in schemas.NAMES),
        *parts,
        Path(__file__),
    ]
    dates = ((str(file), stat.st_size, stat.st_mtime_ns) for file in files for stat in (file.stat(),))
    return _hash(repr((*dates, services, [*profilers.REGISTRY], added))).encode()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def names(root: Path) -> dict[str, Sequence[str]]:
    """By kind: what there is in the project and what fuselab ships."""
    from fuselab import profilers

    targets = [_read(find(root, f"targets/{name}/target.yaml")) for name in target_names(root)]
    return {
        "targets": target_names(root),
        "services": service_names(root),
        "profilers": sorted(profilers.REGISTRY),
        "backends": sorted(
            {*_keys(targets, "backends"), *(name for each in targets for name in pair_names(each))}
        ),
        **{store: _keys(targets, store) for store in STORES},
        "options": _keys(targets, "options"),
    }


def with_names(part: Any, known: Mapping[str, Sequence[str]]) -> Any:
    """A copy of a schema in which what is marked as a name is one of those that are known."""
    if isinstance(part, list):
        return [with_names(inner, known) for inner in part]
    if not isinstance(part, Mapping):
        return part
    made = {key: with_names(inner, known) for key, inner in part.items()}
    choices = list(known.get(str(made.get(_NAMES)), ()))
    if choices and made.get("type") == "object":
        made["propertyNames"] = {"enum": choices}
    elif choices and not isinstance(made["type"], str):
        made["anyOf"] = [{"enum": choices}, {"type": [kind for kind in made["type"] if kind != "string"]}]
    elif choices:
        made["enum"] = choices
    return made


def _read(file: Path) -> Mapping[str, Any]:
    """What a file says; nothing where it cannot be read."""
    with suppress(ExperimentErrors):
        data = read_yaml(file, file.name).data
        return data if isinstance(data, dict) else {}
    return {}


def _keys(files: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    parts = [file[key] for file in files if isinstance(file.get(key), dict)]
    return sorted({name for part in parts for name in part})
