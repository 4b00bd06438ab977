"""Argument lists that were written for a shell: a whole command line in the place of the program, pipes, `~`."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from fuselab.schema.diagnostics import Diagnostics, flow
from fuselab.schema.yaml_source import Key

_BETWEEN, _REDIRECTS = ("|", "||", "&&"), (">", ">>", "<")
_COMPARE = ("[", "expr", "test")
"""Programs to which a word such as `<` says something."""


def check_argv(diagnostics: Diagnostics, at: Key, argv: Any) -> None:
    """What only a shell would read; and a first word with a space in it, unless there is such a program."""
    if not isinstance(argv, list) or not argv or not isinstance(argv[0], str):
        return
    if not _for_a_shell(diagnostics, at, argv):
        _in_one_word(diagnostics, at, argv)


def _for_a_shell(diagnostics: Diagnostics, at: Key, argv: Sequence[Any]) -> bool:
    """Whether a word is told that a shell would have read."""
    for i, word in enumerate(argv):
        if _is_of_a_shell(argv, i):
            kept = argv[:i] if word == "&" else ["sh", "-c", " ".join(map(str, argv))]
            message = f"'{word}' is a word like any other: no shell reads these, unless one is called"
            diagnostics.add((*at, i), message, corrected=f"{at[-1]}: {flow(kept)}")
            return True
        if isinstance(word, str) and word.startswith("~/"):
            message = f"'{word}': no shell puts your home in the place of '~'; write the whole path"
            diagnostics.add((*at, i), message)
            return True
    return False


def _is_of_a_shell(argv: Sequence[Any], i: int) -> bool:
    """Not what a shell is given to read, nor what the program itself reads: a separator, a pattern, a comparison."""
    program, word, behind = os.path.basename(argv[0]), argv[i], argv[i + 1 :]
    if program.endswith("sh") or i == 0 or str(argv[i - 1]).startswith("-"):
        return False
    if word in _BETWEEN:
        return bool(behind) and shutil.which(str(behind[0])) is not None
    if word in _REDIRECTS:
        return len(behind) == 1 and program not in _COMPARE
    return word == "2>&1" or (word == "&" and not behind)


def _in_one_word(diagnostics: Diagnostics, at: Key, argv: Sequence[Any]) -> None:
    first = argv[0]
    if not first.split()[1:] or os.path.exists(os.path.expanduser(first)) or shutil.which(first):
        return
    try:
        words = shlex.split(first)
    except ValueError:
        words = first.split()
    rest = [diagnostics.source.texts.get((*at, i), str(word)) for i, word in enumerate(argv)][1:]
    mend = flow([*words, *rest])
    message = f"'{first}' is no program: each argument is an item of its own, as in {mend}"
    nested = bool(at) and isinstance(at[-1], int)
    on_lines = diagnostics.source.span(at, of_key=False).end_column is None
    corrected = f"- {mend}" if nested and on_lines else None
    diagnostics.add(at, message, suggestion=mend, corrected=corrected)


def check_argvs(diagnostics: Diagnostics, at: Key, argvs: Sequence[Any] | None) -> None:
    """Of a list of argument lists; a step that is none is passed over."""
    for i, argv in enumerate(argvs or ()):
        check_argv(diagnostics, (*at, i), argv)
