"""A YAML file as plain data, and where in the file each part of it stands.

YAML 1.2 in what counts: `on`, `off`, `yes`, `no`, `010` and `12:30` are what they look like, text or decimal
numbers, as editors with a schema read them. Anchors, aliases and merge keys work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from fuselab.schema.errors import ExperimentErrors, Fix, Problem
from fuselab.schema.yaml_syntax import syntax_problems

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
    lines: tuple[str, ...] = ()
    data: Any = None
    keys: dict[Key, Span] = field(default_factory=dict)
    values: dict[Key, Span] = field(default_factory=dict)
    texts: dict[Key, str] = field(default_factory=dict)
    """Scalars as they are written: `007` where the data has 7."""
    problems: list[Problem] = field(default_factory=list)
    """Faults that do not stop the reading: duplicate keys."""
    broken: set[Key] = field(default_factory=set)
    """Where something of them was left out: what is wrong with the rest is a consequence."""
    written: dict[Key, tuple[Key, Key]] = field(default_factory=dict)
    """What was made of something in the file -> what its key and its value are there: faults are told of those."""
    steps: int = 0
    """Nodes read so far, those that an alias repeats each time: what a file is in the end, not what is written."""

    def problem(self, span: Span, message: str, *key: str | int, value: str = "") -> Problem:
        written = self.lines[span.line - 1] if 0 < span.line <= len(self.lines) else ""
        if len(written) > _LONGEST_SHOWN:
            written = ""
        width = (span.end_column or len(written.rstrip()) + 1) - span.column
        name = ".".join(map(str, key))
        return Problem(
            self.shown, span.line, span.column, name, value, message, written=written, width=max(1, width)
        )

    @property
    def name(self) -> str:
        """What the file is called, which for a target is its folder."""
        return self.file.parent.name if self.file.name == "target.yaml" else self.file.stem

    def lines_of(self, first: Key, others: Sequence[Key]) -> list[str]:
        """The line of the key `first`, and those that the keys `others`, which come behind it, stand in."""
        below = [span.line for key, span in self.values.items() if any(key[: len(o)] == o for o in others)]
        start, end = self.keys[others[0]].line - 1, max(below, default=0)
        return [self.lines[self.keys[first].line - 1], *self.lines[start:end]]

    def as_written(self, key: Key, *, of_key: bool = False) -> Key:
        """`key`, or its value, by the names of the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.written:
                of_its_key, of_its_value = self.written[key[:length]]
                return (of_its_key if of_key else of_its_value) + key[length:]
        return key

    def fatal(self, message: str, span: Span = Span(1, 1, None)) -> ExperimentErrors:
        """A fault after which there is nothing more to read."""
        return ExperimentErrors([self.problem(span, message)])

    def step(self, node: yaml.Node) -> None:
        """One node more. Raises ExperimentErrors where there are too many to be meant."""
        self.steps += 1
        if self.steps > _MOST_NODES:
            message = f"a file of more than {_MOST_NODES:,} values, those that '*name' repeats with them"
            raise self.fatal(message, _span(node))

    def span(self, key: Key, *, of_key: bool) -> Span:
        """Where `key` stands, or the nearest thing around it that is in the file."""
        while key:
            first, second = (self.keys, self.values) if of_key else (self.values, self.keys)
            if span := first.get(key) or second.get(key):
                return span
            key, of_key = key[:-1], True
        return Span(1, 1, None)

    def text(self, at: Key, value: object) -> str:
        """A scalar as it is written in the file."""
        return self.texts.get(at, str(value))

    def words(self, at: Key, values: Sequence[object]) -> tuple[str, ...]:
        """Of a list of scalars."""
        return tuple(self.text((*at, i), value) for i, value in enumerate(values))

    def rename(self, old: Key, new: Key) -> None:
        """Let `new` stand where `old` does, with all below it."""
        for table in (self.keys, self.values, self.texts):
            moved = {new + k[len(old) :]: v for k, v in table.items() if k[: len(old)] == old}
            table.update(moved)  # type: ignore[arg-type]

    def copy(self, old: Key, new: Key) -> None:
        """Let `new` stand where `old` does too, with all below it, and be told of by that name."""
        for table in (self.keys, self.values, self.texts):
            made = {new + k[len(old) :]: v for k, v in table.items() if k[: len(old)] == old}
            table.update(made)  # type: ignore[arg-type]
        self.written[new] = old, old

    def place(self, new: Key, key: Key, span: Span, value: Key) -> None:
        """Let `new` stand where what it is made of does: its key in `key`, at `span`, and its value in `value`."""
        self.keys[new], self.values[new] = span, self.span(value, of_key=False)
        self.texts[new] = self.text(value, reduce(getitem, value, self.data))
        self.written[new] = key, value


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

_YAML = "tag:yaml.org,2002:"
_OWN_TAGS = tuple(f"{_YAML}{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))

_EXACT = 2**53
"""Below it a float is exactly the whole number that it is equal to."""
_LARGEST_BYTES = 1 << 20
_DEEPEST = 32
_MOST_NODES = 10_000
_LONGEST_NUMBER = 100
_LONGEST_SHOWN = 10_000
"""Bounds of what somebody may have written: far above what any file of ours needs, far below what takes a second."""


def read_yaml(file: Path, shown: str) -> YamlSource:
    """Read one file. Raises ExperimentErrors for what is not YAML, with the corrected line where known."""
    source = YamlSource(file, shown)
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST_BYTES + 1)
        if len(raw) > _LARGEST_BYTES:
            raise source.fatal(
                f"is larger than {_LARGEST_BYTES >> 20} MiB: this is no file that somebody has written"
            )
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(source, error) from None
    except OSError as error:
        raise source.fatal(f"cannot be read: {error.strerror}") from None
    source.lines = tuple(text.splitlines())
    try:
        _check_depth(source, text)
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise ExperimentErrors(syntax_problems(shown, source.lines, error)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"U+{error.character:04X} is a control character, which no text needs: delete it"
        raise source.fatal(message, Span(line, column, column + 1)) from None
    except yaml.YAMLError as error:
        raise source.fatal(f"is not YAML: {error}") from None
    source.data = {} if node is None else _plain(source, node, (), ())
    return source


def _not_utf8(source: YamlSource, error: UnicodeDecodeError) -> ExperimentErrors:
    """With the place, and with what it probably is."""
    raw = bytes(error.object)
    guess = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin1"
    source.lines = tuple(raw.decode(guess, errors="replace").splitlines())
    before = raw[: error.start].decode(errors="replace") if guess == "latin1" else ""
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    message = (
        f"is not UTF-8 text ({error.reason}): save it as UTF-8, as "
        f"`iconv -f {guess} -t utf-8 {source.file.name}` would write it"
    )
    return source.fatal(message, Span(line, column, column + 1))


def _check_depth(source: YamlSource, text: str) -> None:
    """Before anything is built of it: that goes as deep as the text does. Raises ExperimentErrors, YAMLError."""
    events, depth = _Loader(text), 0
    while events.check_event():
        event = events.get_event()
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            message = f"more than {_DEEPEST} levels of lists and mappings inside each other"
            raise source.fatal(message, _span(event))


def _span(node: Any) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, end.column + 1 if end.line == start.line else None)


def _plain(source: YamlSource, node: Any, at: Key, above: tuple[yaml.Node, ...]) -> Any:
    if any(node is parent for parent in above):
        raise source.fatal("an anchor that contains itself", _span(node))
    source.step(node)
    source.values[at] = _span(node)
    if not node.tag.startswith(_OWN_TAGS):
        message = f"the tag {node.tag.replace(_YAML, '!!')} says nothing here: write the value as it is"
        problem = source.problem(_span(node), message, *at)
        if isinstance(node, yaml.ScalarNode) and not node.value:  # a text that begins with `!`
            span, line = _span(node), source.lines[node.start_mark.line]
            fixed = f'{line[: span.column - 1]}"{line[span.column - 1 :].rstrip()}"'
            problem = replace(problem, corrected_yaml=fixed)
        source.problems.append(problem)
        source.broken.add(at)
    if isinstance(node, yaml.MappingNode):
        data: dict[str, Any] = {}
        for key, key_node, value_node in _entries(source, node, at, above):
            source.keys[(*at, key)] = _span(key_node)
            data[key] = _plain(source, value_node, (*at, key), (*above, node))
        return data
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*at, i), (*above, node)) for i, item in enumerate(node.value)]
    source.texts[at] = node.value
    if curly := _curly(source, node, at):
        source.problems.append(curly)
        source.broken.add(at)
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
                    problem = source.problem(span, "'<<' merges mappings: '<<: *name'", "<<")
                    starred = _starred(source, part) if part is value_node else None
                    source.problems.append(replace(problem, corrected_yaml=starred))
                    continue
                for key, inner_key, inner_value in _entries(source, part, at, (*above, node)):
                    merged.setdefault(key, (inner_key, inner_value))
        elif not isinstance(key_node, yaml.ScalarNode):
            inside = "; '{{...}}' is no template here" if isinstance(key_node, yaml.MappingNode) else ""
            message = f"a key must be text, not a list or mapping{inside}"
            source.problems.append(source.problem(span, message, *at))
            source.broken.add(at)
        elif glued := _glued(source, key_node, value_node) or _comma(source, key_node, value_node):
            source.problems.append(glued)
            source.broken.add(at)
        elif (name := key_node.value) in own:
            line = own[name][0].start_mark.line + 1
            message = f"'{name}' is here a second time: the first is in line {line}; keep one of them"
            problem = source.problem(span, message, *at, name, value=name)
            if problem not in source.problems:
                source.problems.append(problem)
        else:
            own[name] = (key_node, value_node)
    for key, (key_node, value_node) in (merged | own).items():
        yield key, key_node, value_node


def _curly(source: YamlSource, node: yaml.ScalarNode, at: Key) -> Problem | None:
    """The fault of a text in quotes that a word processor has made curly: to YAML they are letters of it."""
    match = re.fullmatch(
        r"[\u201c-\u201f](.*)[\u201c-\u201f]|[\u2018-\u201b](.*)[\u2018-\u201b]", str(node.value)
    )
    span = _span(node)
    if match is None or node.style or span.end_column is None:
        return None
    line, inside = source.lines[span.line - 1], match[1] or match[2] or ""
    quote = "'" if '"' in inside or "\\" in inside else '"'
    fixed = f"{line[: span.column - 1]}{quote}{inside}{quote}{line[span.end_column - 1 :]}"
    message = "curly quotes are letters to YAML: write straight ones"
    fix = Fix(span.line, span.column, str(node.value), f"{quote}{inside}{quote}")
    return replace(source.problem(span, message, *at, value=node.value), corrected_yaml=fixed, fix=fix)


def _glued(source: YamlSource, key: yaml.ScalarNode, value: yaml.Node) -> Problem | None:
    """The fault of `{rw:write}`, which is a key of that name without a value."""
    match = re.fullmatch(r"([A-Za-z][\w.-]*):(\S+)", str(key.value))
    if match is None or getattr(value, "value", None) != "" or getattr(value, "style", None):
        return None
    span = _span(key)
    line = source.lines[span.line - 1]
    end = (span.end_column or span.column) - 1
    fixed = f"{line[: span.column - 1]}{match[1]}: {match[2]}{line[end:]}"
    problem = source.problem(span, f"'{match[0]}' is one word: a space belongs behind the ':'")
    fix = Fix(span.line, span.column, match[0], f"{match[1]}: {match[2]}")
    return replace(problem, corrected_yaml=fixed, fix=fix)


def _starred(source: YamlSource, part: yaml.Node) -> str | None:
    """The line of `<<: base` with `<<: *base`."""
    span = _span(part)
    if not isinstance(part, yaml.ScalarNode) or part.style or span.end_column is None:
        return None
    line = source.lines[span.line - 1]
    return f"{line[: span.column - 1]}*{line[span.column - 1 :]}"


def _comma(source: YamlSource, key: yaml.ScalarNode, value: yaml.Node) -> Problem | None:
    """The fault of `{rate: 1,5}`, in which the 5 is a key without a value."""
    span, name = _span(key), str(key.value)
    if not name.isdigit() or getattr(value, "value", None) != "" or span.line > len(source.lines):
        return None
    line = source.lines[span.line - 1]
    before = line[: span.column - 1]
    if not re.search(r"\d,$", before) or line[span.column - 1 + len(name) :].lstrip().startswith(":"):
        return None
    fixed = f"{before[:-1]}.{line[span.column - 1 :]}"
    message = (
        "in {...} a ',' ends what stands before it: a fraction has a '.', and a text with ',' needs quotes"
    )
    return replace(source.problem(span, message), corrected_yaml=fixed)


def _scalar(source: YamlSource, node: yaml.ScalarNode) -> str | int | float | bool | None:
    tag, text = node.tag.rpartition(":")[2], str(node.value)
    if tag in ("int", "float") and len(text) > _LONGEST_NUMBER:
        message = f"a number of {len(text):,} digits: write one that can be meant, or text in quotes"
        raise source.fatal(message, _span(node))
    try:
        return _typed(tag, text)
    except ValueError:
        raise source.fatal(f"'{text}' is not what its tag says: !!{tag}", _span(node)) from None


def _typed(tag: str, text: str) -> str | int | float | bool | None:
    match tag:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        case "float":
            value = float(text)
            # 8.0 is a whole number to a JSON Schema, and who counts with it wants one.
            return int(value) if value.is_integer() and abs(value) < _EXACT else value
    return text
