"""What keeps a text from being YAML, in the words of whoever wrote it, with the corrected line where it is known."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from fuselab.schema.errors import Problem

_HINTS = {
    "mapping values are not allowed": "a text with ': ' in it needs quotes",
    "found unexpected ':'": "in [...] and {...} a text with ':' or '{' in it needs quotes",
    "could not find expected ':'": "a key needs ': ' behind it",
    "did not find expected key": "all keys of one level begin in one column",
    "did not find expected ',' or '}'": "a '{' is not closed, or a ',' is missing",
    "did not find expected ',' or ']'": "a '[' is not closed, or a ',' is missing",
    "did not find expected node content": "a value is missing, or needs quotes",
    "found undefined alias": "'*name' repeats what '&name' marked further up",
    "found unexpected end of stream": "a quote is not closed",
    "block sequence entries are not allowed": "a list begins on the line below its key",
    "cannot start any token": "a text that begins with a special character needs quotes",
}


def syntax_problems(shown: str, lines: Sequence[str], error: yaml.MarkedYAMLError) -> list[Problem]:
    """Of the file `shown`: every tab, if there is one as far as it could be read, or else what the parser met."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    tabs = [i for i, text in enumerate(lines) if re.match(r" *\t", text)]
    if tabs and tabs[0] <= line:
        return [_tab_problem(shown, i + 1, lines[i]) for i in tabs]
    what = str(error.problem or error.context or "unreadable")
    text = lines[line] if line < len(lines) else ""
    message = f"not YAML: {what}" + next((f"; {hint}" for part, hint in _HINTS.items() if part in what), "")
    if error.context_mark and "flow" in (error.context or ""):
        opened = error.context_mark
        message += f" (it was opened in line {opened.line + 1}, column {opened.column + 1})"
    if "expected a single document" in what or "another document" in what:
        message = "one file holds one document: '---' may stand at its top only"
    corrected = _quoted(text) if "mapping values" in what else None
    return [
        Problem(
            shown, line + 1, column + 1, "", text.strip(), message, corrected_yaml=corrected, written=text
        )
    ]


def _tab_problem(shown: str, line: int, text: str) -> Problem:
    fixed = re.sub(r"^[ \t]+", lambda match: match[0].replace("\t", "  "), text)
    message = "a tab: YAML is indented with spaces"
    at = text.index("\t") + 1
    return Problem(shown, line, at, "", text.strip(), message, corrected_yaml=fixed, written=text)


def _quoted(line: str) -> str | None:
    """`title: a: b` -> `title: "a: b"`."""
    match = re.fullmatch(r"(\s*(?:- )?[\w.-]+: )([^\"'\[{#].*?: .*)", line)
    if match is None:
        return None
    value = match[2].rstrip().replace("\\", "\\\\").replace('"', '\\"')
    return f'{match[1]}"{value}"'
