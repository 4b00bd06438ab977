"""Argument lists that no program can be started with: a whole command line in the place of the program."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import Any

from fuselab.schema.diagnostics import Diagnostics, flow
from fuselab.schema.yaml_source import Key

_OF_A_SHELL = ("|", "||", "&&", "&", ">", ">>", "<", "2>&1")


def check_argv(diagnostics: Diagnostics, at: Key, argv: Any) -> None:
    """A first word with a space in it, unless there is such a program."""
    if not isinstance(argv, list) or not argv or not isinstance(argv[0], str):
        return
    first = argv[0]
    for i, word in enumerate(argv):
        if word in _OF_A_SHELL and not os.path.basename(first).endswith("sh"):
            kept = argv[:i] if word == "&" else ["sh", "-c", " ".join(map(str, argv))]
            message = f"'{word}' is a word like any other: no shell reads these, unless one is called"
            diagnostics.add((*at, i), message, corrected=f"{at[-1]}: {flow(kept)}")
            return
        if isinstance(word, str) and word.startswith("~/"):
            message = f"'{word}': no shell puts your home in the place of '~'; write the whole path"
            diagnostics.add((*at, i), message)
            return
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
