"""YAML files that a verb writes for a person: written anew by the next call, unless somebody has edited them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from fuselab.commands.editors import FOLDER, write
from fuselab.errors import ScaffoldError
from fuselab.schema.schemas import schema

_SCHEMAS = re.compile(r"(?<=\$schema=)(\.\./)+\.fuselab/schema")
_SEAL = re.compile(r"^# Untouched \(`fuselab \w+` may write it anew\): ([0-9a-f]{12})\n", re.MULTILINE)


def checked_name(name: str) -> str:
    """`name`, which may be that of an experiment. Raises ScaffoldError if it may not: it becomes part of paths."""
    rule = schema("common")["$defs"]["name"]
    if not re.fullmatch(rule["pattern"], name):
        raise ScaffoldError(f"'{name}' cannot be a name: {rule['x-allowed']}")
    return name


def write_sealed(root: Path, written: Mapping[Path, str], verb: str) -> list[Path]:
    """Write texts by their paths below `root`, all or none; `verb` is what writes them: `fuselab try`.

    Raises ScaffoldError for a file that is there, says something else, and was edited since a verb wrote it.
    """
    texts = {root / path: _sealed(for_editors(root, path, text), verb) for path, text in written.items()}
    for path, text in texts.items():
        if path.exists() and path.read_text() != text and not _untouched(path.read_text()):
            message = f"{path.relative_to(root)} is there and says something else: choose another --name"
            raise ScaffoldError(message)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    write(root)
    return list(texts)


def for_editors(root: Path, path: Path, text: str) -> str:
    """`text`, which goes to `path` below `root`, with the place of its schema as seen from there."""
    return _SCHEMAS.sub(lambda _: os.path.relpath(root / FOLDER, (root / path).parent), text, count=1)


def _sealed(text: str, verb: str) -> str:
    """With a comment behind the first line that tells whether anybody has edited the rest."""
    first, _, rest = text.partition("\n")
    return f"{first}\n# Untouched (`{verb}` may write it anew): {_digest(text)}\n{rest}"


def _untouched(text: str) -> bool:
    seal = _SEAL.search(text)
    return seal is not None and seal[1] == _digest(_SEAL.sub("", text, count=1))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
