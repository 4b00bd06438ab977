"""Function names as they stand in folded stacks: demangled, without hashes, safe between `;`.

Rust has two manglings, often both in one binary (the standard library is v0 while crates may be legacy). Where they say
the same they are spelled alike here: `{closure#0}` is written `{{closure}}`, an inherent `<a::T>::f` is `a::T::f`, and
what an impl in another module adds to a path (`m::<impl a::T>::f`) goes. What legacy names lack, the generic arguments,
stays in v0 names: `spelling` deals with that where two profiles are compared.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from typing import Literal

from fuselab.analysis.symbols.labels import of_function
from fuselab.programs import tool

Mangling = Literal["legacy", "v0"]

_CPP = ("_Z", "__Z", "_D", "___Z")
_LEGACY = re.compile(r"^_+ZN\S*(?:17h[0-9a-f]{16}E(?:[.@]\S*)?|\$\S+\$\S*)$")
_V0 = re.compile(r"^_+R[A-Z]\S*$")
_CLOSURE = re.compile(r"\{(?:closure|async_block|async_closure|async_fn)(?:_env)?#\d+\}")
_SHIM = re.compile(r"::\{shim:(\w+)#\d+\}")
_SPACE = re.compile(r"\s+")
_ARRAY_SIZE = re.compile(r";\s*")
_LIST = re.compile(r",(?=\S)(?!\))")
_BOUNDS = re.compile(r"(?<=\S)\+(?=\S)")
_ASSOCIATED = re.compile(r"(?P<list>>?)\+(?P<name>\w+ = )")
_DROP = re.compile(r"\bdrop_in_place<")
_IMPL = re.compile(r"(?:\w+::)+<impl ")
_SAID_BY_LEGACY = re.compile(r"\{\{(?:closure|\w+\.shim)\}\}|::<impl ")
_SAID_BY_V0 = re.compile(r"\{(?:closure|shim:\w+)#\d+\}|(?<!drop_in_place)::<(?!impl )")
_PATH_START = re.compile(r"[A-Za-z_]")
_BRACKETED = re.compile(r"<(?:[^<>]|(?<=-)>)*(?<!-)>")
"""Angle brackets with none inside, and the text between them; the head of an arrow is none."""


def mangling(name: str) -> Mangling | None:
    """How rustc has mangled a name; None for what is no mangled Rust name."""
    return "legacy" if _LEGACY.match(name) else "v0" if _V0.match(name) else None


def spoken_mangling(name: str) -> Mangling | None:
    """How rustc had mangled a name that somebody else has demangled, where its spelling shows that."""
    return "legacy" if _SAID_BY_LEGACY.search(name) else "v0" if _SAID_BY_V0.search(name) else None


def demangle(names: Iterable[str]) -> dict[str, str]:
    """Mangled -> folded spelling for every name given.

    One call of each demangler serves all: the Rust project's own (`fuselab-names`) for both of its manglings, binutils'
    c++filt for C++ (`-p`: without parameter lists). Without c++filt C++ names stay as they are, which is ugly but true.
    Raises MissingProgramError without fuselab-names.
    """
    unique = list(dict.fromkeys(names))
    lines = [name for name in unique if "\n" not in name]
    rust = [name for name in lines if mangling(name)]
    plain = {name: rust_spelling(said) for name, said in _filtered(["fuselab-names"], rust).items() if said}
    if cpp := [name for name in lines if name.startswith(_CPP) and name not in plain]:
        plain |= _filtered(["c++filt", "-i", "-p"], cpp) if shutil.which("c++filt") else {}
    return {name: foldable(plain.get(name, name)) for name in unique}


def _filtered(argv: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """What a filter makes of each line; nothing where it does not answer line by line."""
    if not names:
        return {}
    text = "".join(f"{name}\n" for name in names)
    done = subprocess.run(
        [tool(argv[0]), *argv[1:]], input=text, capture_output=True, text=True, encoding="utf-8", check=False
    )
    lines = done.stdout.split("\n")[:-1]
    return dict(zip(names, lines, strict=True)) if len(lines) == len(names) else {}


def foldable(name: str) -> str:
    """A name that can stand in a folded line; closures without numbers, inherent functions without brackets."""
    name = _SPACE.sub(" ", _ARRAY_SIZE.sub(", ", _CLOSURE.sub("{{closure}}", of_function(name)))).strip()
    return _without_inherent_brackets(name)


def rust_spelling(name: str) -> str:
    """A demangled Rust name as both manglings are spelled here."""
    name = _SHIM.sub(r"{{\1.shim}}", foldable(name))
    name = _BOUNDS.sub(" + ", _LIST.sub(", ", _with_associated_types(name)))
    name = _DROP.sub("drop_in_place::<", name)
    return _without_inherent_brackets(_without_impl_module(name))


def _with_associated_types(name: str) -> str:
    """Legacy `dyn Fn<(u8,)>+Output = u64+Send` -> `dyn Fn<(u8,), Output = u64>+Send`."""
    while found := _ASSOCIATED.search(name):
        end = _end_of_type(name, found.end())
        opening = ", " if found["list"] else "<"
        type_ = name[found.end() : end]
        name = f"{name[: found.start()]}{opening}{found['name']}{type_}>{name[end:]}"
    return name


def _end_of_type(text: str, start: int) -> int:
    """Where a type ends that begins at `start`: at the first `+`, `,` or closing bracket that is not inside it."""
    depth = 0
    for index in range(start, len(text)):
        char = text[index]
        if depth == 0 and (char in "+,)]" or (char == ">" and text[index - 1] != "-")):
            return index
        depth += _deeper(text, index)
    return len(text)


def _without_impl_module(name: str) -> str:
    """`m::<impl Trait for T>::f` -> `<T as Trait>::f`, and `m::<impl T>::f` -> `<T>::f`: where an impl is written is
    no part of what it is."""
    found = _IMPL.match(name)
    if found is None:
        return name
    end = closing(name, name.index("<"))
    trait, for_, type_ = name[found.end() : end].partition(" for ")
    return f"<{f'{type_} as {trait}' if for_ else trait}>{name[end + 1 :]}"


def _without_inherent_brackets(name: str) -> str:
    """`<a::T<X>>::f` -> `a::T<X>::f`; trait implementations (`<T as Trait>::f`) and `<[T]>::f` stay."""
    if not name.startswith("<"):
        return name
    end = closing(name)
    inner = name[1:end]
    plain = _PATH_START.match(inner) and "::" in inner and " " not in outermost(inner)
    return inner + name[end + 1 :] if plain else name


def closing(text: str, start: int = 0) -> int:
    """Where the bracket at `start` is closed; the end of the text if it never is."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "<") - (text[index] == ">" and text[index - 1] != "-")
        if depth == 0:
            return index
    return len(text)


def as_cast(inside: str) -> tuple[str, str]:
    """Of `Type as Trait`, both; of a type alone, the type and nothing."""
    depth = 0
    for index, char in enumerate(inside):
        depth += _deeper(inside, index)
        if depth == 0 and char == " " and inside.startswith(" as ", index):
            return inside[:index], inside[index + 4 :]
    return inside, ""


def _deeper(text: str, index: int) -> int:
    """1 for a bracket of any kind that opens, -1 for one that closes; the head of an arrow is none."""
    char = text[index]
    return (char in "<([") - (char in ")]" or (char == ">" and text[index - 1] != "-"))


def outermost(text: str) -> str:
    """A text without all that is between angle brackets."""
    while (less := _BRACKETED.sub("", text)) != text:
        text = less
    return text
