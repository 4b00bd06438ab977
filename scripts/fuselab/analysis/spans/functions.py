"""Which span a function's time belongs to.

`#[instrument]` names the span after the function and gives it the module as target, so a function belongs to a
span when its last path segment before any `{{closure}}` is the span's name, and its module, or that of the type it
is implemented for, is the span's target. A type may live in a module below or above its impl; such a function is
taken too, if no other span has the name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fuselab.analysis.symbols.demangle import as_cast, closing, outermost

_CLOSURE = "::{{closure}}"
_KERNEL = "_[k]"
_CLOSURES = re.compile(r"(?:::\{\{closure\}\})+$")
"""The body of an async function is a closure of it."""
_NOBODYS = re.compile(r"(?:core|std|alloc|hashbrown|tokio|futures|tracing)(?:_\w+)?(?:::|$)")
"""Crates that a program is built on: Rust's own library, its runtime, and what records the spans."""
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


def is_own(frame: str) -> bool:
    """Whether a function was written in Rust, and neither for everybody's programs nor for a primitive type."""
    function = parse_function(frame)
    return function is not None and not any(map(_NOBODYS.match, function.modules))


def without_closures(frame: str) -> str:
    return _CLOSURES.sub("", frame)


def known(stack: Sequence[str]) -> str:
    """The innermost function of a stack (thread first) that a reader knows: his own, or one of a C library.

    The compiler leaves what it inlines of Rust's library (`<u64>::unchecked_add`) at the leaf. The leaf itself where
    there is nothing else, as in a stack of the kernel alone.
    """
    there = (
        frame for frame in reversed(stack[1:]) if not frame.endswith(_KERNEL) and not frame.startswith("[")
    )
    named = (frame for frame in there if is_own(frame) or ("::" not in frame and not frame.startswith("<")))
    return without_closures(next(named, stack[-1]))


def _implemented(path: str) -> FunctionPath | None:
    """`<Type as Trait>::name`."""
    end = closing(path)
    rest = _segments(path[end + 1 :].removeprefix("::"))
    if not rest:
        return None
    type_ = _WRAPPERS.sub("", as_cast(path[1:end])[0])
    while held := _HOLDERS.match(type_):
        type_ = _WRAPPERS.sub("", held["inner"])
    parts = _segments(type_)
    return FunctionPath(rest[0], ("::".join(parts[:-1]),)) if len(parts) > 1 else None


def _segments(path: str) -> list[str]:
    """Path segments without their generic arguments."""
    return [part for part in outermost(path).split("::") if part]


class FunctionIndex:
    """Finds the span of a frame, and of a stack the innermost one."""

    def __init__(self, spans: Iterable[SpanKey]) -> None:
        self._by_name: defaultdict[str, list[SpanKey]] = defaultdict(list)
        for key in spans:
            self._by_name[key.name].append(key)
        self._known: dict[str, SpanKey | None] = {}

    def span_of(self, frame: str) -> SpanKey | None:
        if frame not in self._known:
            self._known[frame] = self._find(frame)
        return self._known[frame]

    def innermost(self, stack: Sequence[str]) -> SpanKey | None:
        """The span of the last frame (root first) that belongs to one."""
        return next((key for frame in reversed(stack) if (key := self.span_of(frame)) is not None), None)

    def _find(self, frame: str) -> SpanKey | None:
        function = parse_function(frame)
        if function is None or function.name not in self._by_name:
            return None
        candidates = self._by_name[function.name]
        exact = [key for module in function.modules for key in candidates if key.target == module]
        if exact or len(candidates) > 1:
            return exact[0] if exact else None
        related = any(_related(candidates[0].target, module) for module in function.modules)
        return candidates[0] if related else None


def _related(one: str, other: str) -> bool:
    """Whether one module lies in the other. The crate alone is no relation: everything lies in it."""
    short, long = sorted((one, other), key=len)
    return "::" in short and long.startswith(f"{short}::")
