"""Which span a function's time belongs to.

`#[instrument]` names the span after the function and gives it the module as target, so a function belongs to a
span when its last path segment before any `{{closure}}` is the span's name, and its module, or that of the type it
is implemented for, is the span's target. A type may live in a module below or above its impl; such a function is
taken too, if no other span has the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CLOSURE = "::{{closure}}"
_KERNEL = "_[k]"
_WRAPPERS = re.compile(r"^(?:&(?:mut )?|\*(?:const|mut) |dyn )+")
_HOLDERS = re.compile(r"^(?:alloc::(?:sync::Arc|boxed::Box|rc::Rc)|core::pin::Pin)<(?P<inner>.*)>$")
IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True, order=True)
class SpanKey:
    """Names of spans are not unique, so a span is its target and its name."""

    target: str
    name: str

    def __str__(self) -> str:
        return f"{self.target}::{self.name}" if self.target else self.name


@dataclass(frozen=True)
class FunctionPath:
    """A function's own name, and the modules it may have been written in, the likeliest first."""

    name: str
    modules: tuple[str, ...]


def parse_function(frame: str) -> FunctionPath | None:
    """Take a demangled Rust name apart; None for what has no module (C, kernel, addresses)."""
    if frame.endswith(_KERNEL):
        return None
    path = frame.partition(_CLOSURE)[0]
    if path.startswith("<"):
        return _implemented(path)
    parts = _segments(path)
    if len(parts) < 2:
        return None
    # The segment before the name is a module, or a type of the module before that.
    modules = ["::".join(parts[:-1])] + (["::".join(parts[:-2])] if len(parts) > 2 else [])
    return FunctionPath(parts[-1], tuple(modules))


def _implemented(path: str) -> FunctionPath | None:
    """`<Type as Trait>::name`."""
    end = _closing(path)
    rest = _segments(path[end + 1 :].removeprefix("::"))
    if not rest:
        return None
    type_ = _split_as(path[1:end])
    while True:
        bare = _WRAPPERS.sub("", type_)
        held = _HOLDERS.match(bare)
        if held is None:
            break
        type_ = held["inner"]
    parts = _segments(bare)
    return FunctionPath(rest[0], ("::".join(parts[:-1]),)) if len(parts) > 1 else None


def _closing(path: str) -> int:
    """Where the bracket that opens the path is closed."""
    depth = 0
    for index, char in enumerate(path):
        depth += (char == "<") - (char == ">" and path[index - 1] != "-")
        if depth == 0:
            return index
    return len(path)


def _split_as(inside: str) -> str:
    """The type in `Type as Trait`, looking at the outermost level only."""
    depth = 0
    for index, char in enumerate(inside):
        depth += (char == "<") - (char == ">" and inside[index - 1] != "-")
        if depth == 0 and inside.startswith(" as ", index):
            return inside[:index]
    return inside


def _segments(path: str) -> list[str]:
    """Path segments without their generic arguments."""
    kept: list[str] = []
    depth = 0
    for index, char in enumerate(path):
        if char == "<":
            depth += 1
        elif char == ">" and path[index - 1] != "-":
            depth -= 1
        elif depth == 0:
            kept.append(char)
    return [part for part in "".join(kept).split("::") if part]


class FunctionIndex:
    """Finds the span of a frame, and of a stack the innermost one."""

    def __init__(self, spans: Iterable[SpanKey]) -> None:
        self._by_name: dict[str, list[SpanKey]] = {}
        for key in spans:
            self._by_name.setdefault(key.name, []).append(key)
        self._known: dict[str, SpanKey | None] = {}

    def span_of(self, frame: str) -> SpanKey | None:
        if frame not in self._known:
            self._known[frame] = self._find(frame)
        return self._known[frame]

    def innermost(self, stack: Sequence[str]) -> SpanKey | None:
        """The span of the last frame (root first) that belongs to one."""
        for frame in reversed(stack):
            found = self.span_of(frame)
            if found is not None:
                return found
        return None

    def _find(self, frame: str) -> SpanKey | None:
        function = parse_function(frame)
        candidates = self._by_name.get(function.name, []) if function else []
        if function is None or not candidates:
            return None
        for module in function.modules:
            for key in candidates:
                if key.target == module:
                    return key
        nested = [
            key for key in candidates if any(_related(key.target, module) for module in function.modules)
        ]
        return nested[0] if len(nested) == 1 and len(candidates) == 1 else None


def _related(one: str, other: str) -> bool:
    """Whether one module lies in the other. The crate alone is no relation: everything lies in it."""
    short, long = sorted((one, other), key=len)
    return "::" in short and long.startswith(f"{short}::")
