"""What a build had that no commit has, before it leaves in a bundle: of which files, and whether it tells secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuselab import foreign
from fuselab.records.places import WORKTREE

Wanted = Literal["safe", "all", "none"]
"""Which changes go into a bundle: those without anything that looks like a secret, all, none."""
CHOICES: tuple[Wanted, ...] = ("safe", "all", "none")

_FILE_NAME = re.compile(
    r"(?:^|/)(?:\.env(?:\..*)?|\.netrc|\.npmrc|\.pypirc|\.git-credentials|\.htpasswd|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)|.*(?:secret|credential|passw).*)$",
    re.IGNORECASE,
)
_CONTENT = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}\b|\bgh[pousr]_\w{30,}|\b(?:xox[abprs]|sk)-[\w-]{16,}"
    ),
    re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"),  # a JSON web token
    re.compile(r"://[^/\s:@]*:[^/\s@{$<]+@"),
    re.compile(
        r"""(?:secret|token|passw(?:or)?d|passphrase|(?:api|access|private|account|storage)_?key|credential)s?\w*["']?"""
        # A text between quotes, or a bare word that is no name: code that asks for a password is full of names.
        r"""\s*(?::=|[:=])\s*(?:"[^"\s]{6,}"|'[^'\s]{6,}'|(?=[^\s"'(]*[\d+/=-])[^\s"'(){}<>$,;]{6,}(?![\w(]))""",
        re.IGNORECASE,
    ),
)
"""Rather once too often: a build's diff is left out with a word, and taken in with another."""


@dataclass(frozen=True)
class Changes:
    """The uncommitted changes of one build."""

    path: Path
    """Of the diff."""
    build: str
    files: tuple[str, ...]
    suspects: tuple[str, ...]
    """`file:line` (of the diff) of what looks like a secret."""

    def packed(self, wanted: Wanted) -> bool:
        return wanted == "all" or (wanted == "safe" and not self.suspects)

    def said(self, wanted: Wanted) -> str:
        """One sentence for the screen, before anything is packed."""
        what = f"uncommitted changes of {self.build} ({', '.join(self.files)}; whole: {self.path})"
        if self.packed(wanted):
            return f"the bundle takes the {what}: `--config diffs=none` leaves them out"
        if wanted == "none":
            return f"the bundle leaves out the {what}"
        return (
            f"the bundle leaves out the {what}: what looks like a secret stands in line {', '.join(self.suspects)}. "
            "If it is none: `--config diffs=all`"
        )


def uncommitted(build_json: Path) -> Changes | None:
    """Of the build whose build.json this is; None if it was made from a commit."""
    path = build_json.with_name(WORKTREE)
    if not path.is_file():
        return None
    lines = path.read_text(errors="replace").splitlines()
    files = [foreign.name(line.rpartition(" b/")[2]) for line in lines if line.startswith("diff --git ")]
    return Changes(
        path=path,
        build="/".join(build_json.parts[-3:-1]),
        files=tuple(dict.fromkeys(files)),
        suspects=tuple(_suspects(lines)),
    )


def _suspects(lines: list[str]) -> list[str]:
    """Numbers of lines of the diff. Those that a change takes away, or has around it, count: they are packed too."""
    found = []
    for number, line in enumerate(lines, 1):
        named = line.startswith("diff --git ") and _FILE_NAME.search(line.rpartition(" b/")[2])
        if named or any(pattern.search(line) for pattern in _CONTENT):
            found.append(str(number))
    return found
