"""A YAML file as plain data, and where in the file each part of it stands.

YAML 1.2 in what counts: `on`, `off`, `yes`, `no`, `010` and `12:30` are what they look like, text or decimal
numbers, as editors with a schema read them. Anchors, aliases and merge keys work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from fuselab.schema.errors import ExperimentErrors, Problem

Key = tuple[str | int, ...]
"""Where something stands in the data: mapping keys and list indexes from the root."""


@dataclass(frozen=True)
class Span:
    """A place in the file, counted from 1; `end_column` is None where it spans lines."""

    line: int
    column: int
    end_column: int | None


@dataclass
class YamlSource:
    """The data of one file. `keys` and `values` say where each key and each value stands."""

    file: Path
    shown: str
    lines: tuple[str, ...]
    data: Any = None
    keys: dict[Key, Span] = field(default_factory=dict)
    values: dict[Key, Span] = field(default_factory=dict)
    texts: dict[Key, str] = field(default_factory=dict)
    """Scalars as they are written: `007` where the data has 7."""
    problems: list[Problem] = field(default_factory=list)
    """Faults that do not stop the reading: duplicate keys."""
    steps: int = 0
    """Nodes read so far, those that an alias repeats each time: what a file is in the end, not what is written."""

    def step(self, node: yaml.Node) -> None:
        """One node more. Raises ExperimentErrors where there are too many to be meant."""
        self.steps += 1
        if self.steps > _MOST_NODES:
            raise _stopped(
                self,
                node,
                f"a file of more than {_MOST_NODES:,} values, those that '*name' repeats with them",
            )

    def span(self, key: Key, *, of_key: bool) -> Span:
        """Where `key` stands, or the nearest thing around it that is in the file."""
        while key:
            found = (
                (self.keys.get(key) or self.values.get(key))
                if of_key
                else (self.values.get(key) or self.keys.get(key))
            )
            if found is not None:
                return found
            key, of_key = key[:-1], True
        return Span(1, 1, None)

    def rename(self, old: Key, new: Key) -> None:
        """Let `new` stand where `old` does, with all below it."""
        for table in (self.keys, self.values, self.texts):
            moved = {new + k[len(old) :]: v for k, v in table.items() if k[: len(old)] == old}
            table.update(moved)  # type: ignore[arg-type]


class _Loader(CParser, yaml.resolver.BaseResolver):
    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        yaml.resolver.BaseResolver.__init__(self)


_TYPES = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
    "tag:yaml.org,2002:merge": (r"<<", ["<"]),
}
for _tag, (_pattern, _first) in _TYPES.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)

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


_LARGEST_BYTES = 1 << 20
_DEEPEST = 32
_MOST_NODES = 10_000
_LONGEST_NUMBER = 100
"""Bounds of what somebody may have written: far above what any file of ours needs, far below what takes a second."""


def read_yaml(file: Path, shown: str) -> YamlSource:
    """Read one file. Raises ExperimentErrors for what is not YAML, with the corrected line where known."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST_BYTES + 1)
        if len(raw) > _LARGEST_BYTES:
            message = f"is larger than {_LARGEST_BYTES >> 20} MiB: this is no file that somebody has written"
            raise ExperimentErrors([Problem(shown, 1, 1, "", "", message)])
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ExperimentErrors(
            [Problem(shown, 1, 1, "", "", f"is not UTF-8 text ({error.reason})")]
        ) from None
    except OSError as error:
        raise ExperimentErrors([Problem(shown, 1, 1, "", "", f"cannot be read: {error.strerror}")]) from None
    source = YamlSource(file, shown, tuple(text.splitlines()))
    try:
        _check_depth(source, text)
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise ExperimentErrors(_syntax_problems(source, error)) from None
    except yaml.YAMLError as error:
        raise ExperimentErrors([Problem(shown, 1, 1, "", "", f"is not YAML: {error}")]) from None
    source.data = {} if node is None else _plain(source, node, (), ())
    return source


def _check_depth(source: YamlSource, text: str) -> None:
    """Before anything is built of it: that goes as deep as the text does. Raises ExperimentErrors, YAMLError."""
    events, depth = _Loader(text), 0
    while events.check_event():
        event = events.get_event()
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _stopped(
                source, event, f"more than {_DEEPEST} levels of lists and mappings inside each other"
            )


def _stopped(source: YamlSource, at: Any, message: str) -> ExperimentErrors:
    """A fault after which there is nothing more to read."""
    span = _span(at)
    return ExperimentErrors([Problem(source.shown, span.line, span.column, "", "", message)])


def _syntax_problems(source: YamlSource, error: yaml.MarkedYAMLError) -> list[Problem]:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    tabs = [i for i, text in enumerate(source.lines[: line + 1]) if re.match(r" *\t", text)]
    if tabs:
        return [
            _tab_problem(source, i) for i in range(len(source.lines)) if re.match(r" *\t", source.lines[i])
        ]
    what = str(error.problem or error.context or "unreadable")
    hint = next((text for part, text in _HINTS.items() if part in what), None)
    text = source.lines[line] if line < len(source.lines) else ""
    message = f"not YAML: {what}" + (f"; {hint}" if hint else "")
    if error.context_mark and "flow" in (error.context or ""):
        message += (
            f" (it was opened in line {error.context_mark.line + 1}, column {error.context_mark.column + 1})"
        )
    if "expected a single document" in what or "another document" in what:
        message = "one file holds one document: '---' may stand at its top only"
    return [
        Problem(
            source.shown, line + 1, column + 1, "", text.strip(), message, corrected_yaml=_quoted(what, text)
        )
    ]


def _tab_problem(source: YamlSource, index: int) -> Problem:
    text = source.lines[index]
    fixed = re.sub(r"^[ \t]+", lambda match: match[0].replace("\t", "  "), text)
    column = text.index("\t") + 1
    return Problem(
        source.shown,
        index + 1,
        column,
        "",
        text.strip(),
        "a tab: YAML is indented with spaces",
        (),
        None,
        fixed,
    )


def _quoted(what: str, line: str) -> str | None:
    """`title: a: b` -> `title: "a: b"`, where that is what is wrong."""
    match = re.fullmatch(r"(\s*(?:- )?[\w.-]+: )([^\"'\[{#].*?: .*)", line)
    if match is None or "mapping values" not in what:
        return None
    value = match[2].rstrip().replace("\\", "\\\\").replace('"', '\\"')
    return f'{match[1]}"{value}"'


def _span(node: Any) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, end.column + 1 if end.line == start.line else None)


def _plain(source: YamlSource, node: Any, at: Key, above: tuple[yaml.Node, ...]) -> Any:
    if any(node is parent for parent in above):
        raise _stopped(source, node, "an anchor that contains itself")
    source.step(node)
    source.values[at] = _span(node)
    if isinstance(node, yaml.MappingNode):
        data: dict[str, Any] = {}
        for key, key_node, value_node in _entries(source, node, at, above):
            source.keys[(*at, key)] = _span(key_node)
            data[key] = _plain(source, value_node, (*at, key), (*above, node))
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*at, i), (*above, node)) for i, item in enumerate(node.value)]
    source.texts[at] = node.value
    return _scalar(source, node)


def _entries(
    source: YamlSource, node: yaml.MappingNode, at: Key, above: tuple[yaml.Node, ...]
) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Keys of a mapping in order, those merged with `<<` first; a key of its own wins over a merged one."""
    own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key_node, value_node in node.value:
        source.step(key_node)
        span = _span(key_node)
        if key_node.tag == "tag:yaml.org,2002:merge":
            parts = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for part in parts:
                if not isinstance(part, yaml.MappingNode) or any(part is parent for parent in (*above, node)):
                    problem = Problem(
                        source.shown, span.line, span.column, "<<", "", "'<<' merges mappings: '<<: *name'"
                    )
                    source.problems.append(problem)
                    continue
                for key, inner_key, inner_value in _entries(source, part, at, (*above, node)):
                    merged.setdefault(key, (inner_key, inner_value))
        elif not isinstance(key_node, yaml.ScalarNode):
            problem = Problem(
                source.shown, span.line, span.column, "", "", "a key must be text, not a list or mapping"
            )
            source.problems.append(problem)
        elif key_node.value in own:
            _duplicate(source, own[key_node.value][0], key_node, (*at, key_node.value))
        else:
            own[key_node.value] = (key_node, value_node)
    for key, (key_node, value_node) in (merged | own).items():
        yield key, key_node, value_node


def _duplicate(source: YamlSource, first: yaml.Node, again: yaml.Node, at: Key) -> None:
    span = _span(again)
    earlier = first.start_mark.line + 1
    message = f"'{again.value}' is here a second time: the first is in line {earlier}; keep one of them"
    key = ".".join(map(str, at))
    problem = Problem(source.shown, span.line, span.column, key, str(again.value), message)
    if problem not in source.problems:
        source.problems.append(problem)


def _scalar(source: YamlSource, node: yaml.ScalarNode) -> str | int | float | bool | None:
    tag, text = node.tag.rpartition(":")[2], str(node.value)
    if tag in ("int", "float") and len(text) > _LONGEST_NUMBER:
        raise _stopped(
            source, node, f"a number of {len(text):,} digits: write one that can be meant, or text in quotes"
        )
    try:
        return _typed(tag, text)
    except ValueError:
        raise _stopped(source, node, f"'{text}' is not what its tag says: !!{tag}") from None


def _typed(tag: str, text: str) -> str | int | float | bool | None:
    match tag:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        case "float":
            return float(text)
    return text
