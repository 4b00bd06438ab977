"""Secrets of the caller that a run knows: known by value, so that they stand in nothing that it leaves.

Names of variables say little (`DATABASE`, `https_proxy`): whatever came from the caller's shell counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from fuselab.records.request import MountConfig

HIDDEN = "(hidden)"
_NAME = re.compile(
    r"SECRET|TOKEN|PASS(?:WD|WORD|PHRASE)|CREDENTIAL|AUTH|(?:^|_)(?:PW|PWD|KEY)(?:$|_)", re.IGNORECASE
)
"""Variables written in YAML whose value is a secret all the same."""
_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)(?=@)")
_SHORTEST = 6
"""A shorter value (`1`, `true`) stands in many places where it is no secret."""
_LARGEST_BYTES = 64 << 20


def secret_name(name: str) -> bool:
    return _NAME.search(name) is not None


def hidden_of(mount: MountConfig) -> Hidden:
    """What a run of `mount` that this process starts, or is, must not tell."""
    return Hidden(mount.passed(os.environ), dict(mount.env))


class Hidden:
    """Takes known values out of text. `passed`: variables that came from the caller; `written`: those of YAML files."""

    def __init__(self, passed: Mapping[str, str], written: Mapping[str, str]) -> None:
        self._names = frozenset(passed) | {name for name in written if secret_name(name)}
        whole = [*passed.values(), *(written[name] for name in self._names & written.keys())]
        parts = [match[2] for value in whole for match in _IN_URL.finditer(value)]
        long = [value for value in (*whole, *parts) if len(value) >= _SHORTEST]
        self._values = sorted({*long, *(quote(value, safe="") for value in long)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without the values, and without the password of any URL in it."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return _IN_URL.sub(rf"\1:{HIDDEN}", text)

    def words(self, words: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(self.text, words))

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        return {k: HIDDEN if k in self._names else self.text(value) for k, value in sorted(env.items())}

    def logs(self, folder: Path) -> None:
        """Take the values out of the logs in `folder`: a program prints what it was started with."""
        for path in folder.glob("*.log"):
            if not self._values or path.is_symlink() or path.stat().st_size > _LARGEST_BYTES:
                continue
            said = content = path.read_bytes()
            for value in self._values:
                said = said.replace(value.encode(), HIDDEN.encode())
            if said != content:
                path.write_bytes(said)
