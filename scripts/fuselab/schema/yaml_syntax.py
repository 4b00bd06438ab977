"""What keeps a text from being YAML, in the words of whoever wrote it, with the corrected line where it is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import yaml

from fuselab.schema.errors import Fix, Problem

_BEGUN_EARLIER = (
    "could not find expected ':'",
    "found unexpected end of stream",
    "did not find expected alphabetic or numeric character",
)
"""Complaints of something whose beginning says more than the place where it was missed."""
_UNSURE = ("did not find expected key", "found unexpected end of stream")
"""Complaints whose mend is a guess: which column was meant, and where a quote ends."""
_HINTS = {
    "mapping values are not allowed": "a text with ': ' in it needs quotes",
    "found unexpected ':'": "in [...] and {...} a text with ':' or '{' in it needs quotes",
    "could not find expected ':'": "a key needs ': ' behind it, an item of a list '- ' before it",
    "did not find expected key": "all keys of one level begin in one column",
    "did not find expected ',' or '}'": "a '{' is not closed, or a ',' is missing",
    "did not find expected ',' or ']'": "a '[' is not closed, or a ',' is missing",
    "did not find expected node content": "a value is missing, or needs quotes",
    "found undefined alias": "'*name' repeats what '&name' marked further up",
    "found unexpected end of stream": "a quote is not closed",
    "block sequence entries are not allowed": "a list begins on the line below its key",
    "cannot start any token": "a text that begins with a special character needs quotes",
    "did not find expected alphabetic": "'&name' marks and '*name' repeats: a text that begins so needs quotes",
    "unknown escape": "in \"...\" a '\\' begins an escape, in '...' it is a letter",
    "expected comment or line break": "the text of '|' or '>' begins on the line below it, indented",
    "<document start>": "it stands behind the end of the document",
}


def syntax_problems(shown: str, lines: Sequence[str], error: yaml.MarkedYAMLError) -> list[Problem]:
    """Of the file `shown`: every tab, if there is one as far as it could be read, or else what the parser met."""
    what = str(error.problem or error.context or "unreadable")
    begun = what.startswith(_BEGUN_EARLIER) and error.context_mark
    mark = begun or error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    tabs = [i for i, text in enumerate(lines) if re.match(r" *\t", text)]
    if tabs and tabs[0] <= line:
        return [_tab_problem(shown, i + 1, lines[i]) for i in tabs]
    if strange := _strange(shown, lines[: line + 1]):
        return strange
    opened_in = error.context_mark.line if error.context_mark and "flow" in (error.context or "") else line
    if known := _known(shown, lines, what, line, column, opened_in):
        return [known]
    text = lines[line] if line < len(lines) else ""
    message = f"not YAML: {what}" + next((f"; {hint}" for part, hint in _HINTS.items() if part in what), "")
    if error.context_mark and "flow" in (error.context or ""):
        opened = error.context_mark
        message += f" (it was opened in line {opened.line + 1}, column {opened.column + 1})"
    if "expected a single document" in what or "another document" in what:
        message = "one file holds one document: '---' may stand at its top only"
    corrected = _mended(what, lines[: line + 1], column)
    fix = Fix(line + 1, 1, text, corrected) if corrected and not what.startswith(_UNSURE) else None
    return [
        Problem(
            shown,
            line + 1,
            column + 1,
            "",
            text.strip(),
            message,
            corrected_yaml=corrected,
            written=text,
            fix=fix,
        )
    ]


def _known(
    shown: str, lines: Sequence[str], what: str, line: int, column: int, opened_in: int
) -> Problem | None:
    """What is known to be meant by more than the complaint, `what`, says: with its own place, words and mend.

    The parser gave up in `line` and `column`, counted from 0, in what it was reading from the line `opened_in` on.
    """

    def fault(at: int, column: int, message: str, corrected: str) -> Problem:
        text = lines[at]
        return Problem(
            shown, at + 1, column + 1, "", text.strip(), message, corrected_yaml=corrected, written=text
        )

    text = lines[line] if line < len(lines) else ""
    above = next((i for i in range(line - 1, -1, -1) if lines[i].strip()), None)
    before = lines[above] if above is not None else ""
    of_key = what.startswith("mapping values") and re.match(r"\s*[\w.-]+:$", text[: column + 1])
    owner = re.fullmatch(r"(\s*[\w.-]+)(?::\s+(\S.*))?", before)
    if above is not None and of_key and owner and _indent(before) < _indent(text):
        name = owner[1].strip()
        message = f"a ':' is missing behind '{name}', which has keys below it"
        if owner[2]:
            message = f"'{name}' has both a value, '{owner[2].strip()}', and keys below it"
        return fault(above, len(owner[1]), message, f"{owner[1]}:")
    if above is not None and what.startswith("could not find expected ':'"):
        if re.search(r"[|>][+-]?$", before) and _indent(before) >= _indent(text):
            return fault(line, 0, "the text of '|' or '>' is indented below its key", f"  {text}")
        if (
            re.fullmatch(r"\s*[\w.-]+", text)
            and line + 1 < len(lines)
            and _indent(lines[line + 1]) > _indent(text)
        ):
            message = f"a ':' is missing behind '{text.strip()}', which has keys below it"
            return fault(line, len(text), message, f"{text}:")
    if what.startswith("did not find expected <document start>"):
        if before.strip() == "...":
            return fault(above or 0, 0, "'...' ends the document: leave it out", "")
        if re.fullmatch(r"\s*\[.*\]\s*", lines[0]) and "=" in text:
            message = (
                "a job file of fio, and no experiment: `fuselab new` writes one, whose load names this file"
            )
            return fault(0, 0, message, "workloads: {mine: {fio: {file: mine.fio}}}")
    if what.startswith(("did not find expected ','", "did not find expected node content")):
        return _in_brackets(lines, line, column, opened_in, fault)
    return None


Fault = Callable[[int, int, str, str], Problem]


def _in_brackets(
    lines: Sequence[str], line: int, column: int, opened_in: int, fault: Fault
) -> Problem | None:
    """Of `{...}` or `[...]`: an end in a comment, a quote within quotes, a comma too many, one too few."""
    text = lines[line] if line < len(lines) else ""
    for at in range(opened_in, min(line + 1, len(lines))):
        if match := re.search(r"(?<=[\s])#[^\s,}\]]+(?=.*[}\]])", lines[at]):
            message = (
                "a '#' behind a space begins a comment, in which the rest of the line is lost: quote the text"
            )
            return fault(
                at,
                match.start(),
                message,
                f'{lines[at][: match.start()]}"{match[0]}"{lines[at][match.end() :]}',
            )
    if match := re.search(r"'([^',{}\[\]]*'[\w][^',{}\[\]]*)'", text):
        message = "a ' inside of '...' ends it: write it twice, or take \"...\" around it"
        return fault(
            line, match.start(), message, f'{text[: match.start()]}"{match[1]}"{text[match.end() :]}'
        )
    if text[column : column + 1] == ",":
        return fault(line, column, "a ',' too many", text[:column] + text[column + 1 :])
    if re.match(r"[\w.-]+: ", text[column:]) and text[:column].strip():
        kept = text[:column].rstrip()
        return fault(line, len(kept), "a ',' is missing", f"{kept}, {text[column:]}")
    return None


def _strange(shown: str, lines: Sequence[str]) -> list[Problem]:
    """Marks of an unfinished merge, and characters that look like those that YAML knows, as far as it could be read."""
    found = []
    for number, text in enumerate(lines, 1):
        if re.match(r"(<{7}|={7}|>{7})( |$)", text):
            message = "a mark of a merge that git left unfinished: keep one side, and no mark"
            found.append(
                Problem(shown, number, 1, "", text.strip(), message, written=text, width=len(text.rstrip()))
            )
        elif match := re.match(r"(\s*)(//|```|[*•–—] )\s*", text):
            message, mark = _MARKS[match[2].strip()]
            fixed = f"{match[1]}{mark}{text[match.end() :]}" if mark else None
            problem = Problem(
                shown, number, len(match[1]) + 1, "", text.strip(), message, corrected_yaml=fixed, written=text,
                width=len(match[2].strip()),
            )  # fmt: skip
            found.append(problem)
        elif (match := _LOOKS_LIKE_SPACE.match(text)) or (match := _WIDE_COLON.match(text)):
            at = next(i for i in range(match.end()) if text[i] in _MEANT)
            message = f"U+{ord(text[at]):04X} looks like {_WORDS[_MEANT[text[at]]]}, and is none to YAML"
            fixed = "".join(_MEANT.get(letter, letter) for letter in match[0]) + text[match.end() :].lstrip(
                " \u3000"
            )
            fixed = fixed.rstrip() if match.re is _WIDE_COLON else fixed
            problem = Problem(
                shown, number, at + 1, "", text.strip(), message, corrected_yaml=fixed, written=text,
                fix=Fix(number, 1, text, fixed),
            )  # fmt: skip
            found.append(problem)
    return found


_MARKS = {
    "//": ("a comment begins with '#'", "# "),
    "```": ("a mark of Markdown, which is no YAML: leave the line out", ""),
    **dict.fromkeys("*•–—", ("an item of a list begins with '- '", "- ")),
}
_MEANT = {"\u00a0": " ", "\u2003": " ", "\u3000": " ", "\uff1a": ": "}
_WORDS = {" ": "a space", ": ": "a colon"}
_LOOKS_LIKE_SPACE = re.compile(r" *[\u00a0\u2003\u3000][\u00a0\u2003\u3000 ]*")
_WIDE_COLON = re.compile(r"[\s-]*[\w.-]+\uff1a")


def _mended(what: str, lines: Sequence[str], column: int) -> str | None:
    """The last of `lines`, in whose `column` the parser gave up, as it was probably meant."""
    line = lines[-1] if lines else ""
    if "mapping values" in what or "cannot start any token" in what:
        return _quoted(line)
    if "did not find expected alphabetic" in what:
        apart = re.sub(r"([&*])\s+(?=\w)", r"\1", line[column:], count=1)
        return line[:column] + apart if apart != line[column:] else _quoted(line)
    if "unknown escape" in what:
        return re.sub(r'"([^"\']*\\[^"\']*)"', r"'\1'", line, count=1)
    if "expected comment or line break" in what and (match := re.fullmatch(r"(.*: +)[|>][+-]? *(.*)", line)):
        return f'{match[1]}"{match[2]}"'
    if what.startswith("could not find expected ':'"):
        match = re.fullmatch(r"(\s*(?:- )?)([A-Za-z][\w.-]*)(?::| ?= ?)(\S.*)", line)
        if match is None and len(lines) > 1 and (item := re.match(r" *- ", lines[-2])):
            return f"{item[0]}{line.strip()}"
        return f"{match[1]}{match[2]}: {match[3]}" if match else None
    if what == "found unexpected end of stream" and line[column : column + 1] in ("'", '"'):
        return line.rstrip() + line[column]
    if what == "did not find expected key" and ": " in f"{line} ":
        return _aligned(line, lines[:-1])
    return None


def _aligned(line: str, above: Sequence[str]) -> str | None:
    """`line` in the nearest of the columns in which keys above it begin; None where it stands in one."""
    own = _indent(line)
    columns = [_indent(text) for text in above if re.match(r" *[^\s#-][^:]*:( |$)", text)]
    nearest = min(reversed(columns), key=lambda column: abs(column - own), default=own)
    return None if nearest == own else " " * nearest + line.lstrip(" ")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _tab_problem(shown: str, line: int, text: str) -> Problem:
    fixed = re.sub(r"^[ \t]+", lambda match: match[0].replace("\t", "  "), text)
    message = "a tab: YAML is indented with spaces"
    at = text.index("\t") + 1
    fix = Fix(line, 1, text, fixed)
    return Problem(shown, line, at, "", text.strip(), message, corrected_yaml=fixed, written=text, fix=fix)


def _quoted(line: str) -> str | None:
    """`title: a: b` -> `title: "a: b"`, and `title: @a` -> `title: "@a"`."""
    match = re.fullmatch(r"(\s*(?:- )?[\w.-]+: +)((?:[^\"'\[{#].*?: |[@`%*&!]).*)", line)
    if match is None:
        return None
    value = match[2].rstrip().replace("\\", "\\\\").replace('"', '\\"')
    return f'{match[1]}"{value}"'
