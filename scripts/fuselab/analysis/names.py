"""Function names as they stand in folded stacks: demangled, without hashes, safe between `;`.

Rust has two manglings in one binary (the standard library is v0 while crates may be legacy); both end up in
the same spelling here, so that stacks of builds by different toolchains still meet: `{closure#0}` is written
`{{closure}}` and an inherent `<a::T>::f` is written `a::T::f`, as the legacy mangling does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable

_MANGLED = ("_Z", "__Z", "_R", "_D", "___Z")
_CLOSURE = re.compile(r"\{(?:closure|async_block|async_closure|async_fn)(?:_env)?#\d+\}")
_SPACE = re.compile(r"\s+")
_ARRAY_SIZE = re.compile(r";\s*")
_PATH_START = re.compile(r"[A-Za-z_]")


def demangle(names: Iterable[str]) -> dict[str, str]:
    """Mangled -> folded spelling for every name given.

    One call of binutils' c++filt serves all (Rust v0 and legacy, C++; `-i` leaves hashes out, `-p` the
    parameter lists of C++). Without c++filt mangled names stay as they are, which is ugly but true.
    """
    unique = list(dict.fromkeys(names))
    mangled = [name for name in unique if name.startswith(_MANGLED) and "\n" not in name]
    plain: dict[str, str] = {}
    if mangled and (filter_ := shutil.which("c++filt")):
        text = "\n".join(mangled) + "\n"
        done = subprocess.run([filter_, "-i", "-p"], input=text, capture_output=True, text=True, check=False)
        lines = done.stdout.split("\n")[:-1]
        if len(lines) == len(mangled):
            plain = dict(zip(mangled, lines, strict=True))
    return {name: foldable(plain.get(name, name)) for name in unique}


def foldable(name: str) -> str:
    """A name that can stand in a folded line, in the one spelling that both Rust manglings share."""
    name = _CLOSURE.sub("{{closure}}", name)
    name = _SPACE.sub(" ", _ARRAY_SIZE.sub(", ", name)).strip()
    return _without_inherent_brackets(name) if name.startswith("<") else name


def _without_inherent_brackets(name: str) -> str:
    """`<a::T<X>>::f` -> `a::T<X>::f`; trait implementations (`<T as Trait>::f`) and `<[T]>::f` stay."""
    depth = 0
    for index, char in enumerate(name):
        if char == "<":
            depth += 1
        elif char == ">" and name[index - 1] != "-":
            depth -= 1
            if depth == 0:
                inner = name[1:index]
                return inner + name[index + 1 :] if _PATH_START.match(inner) and "::" in inner else name
        elif depth == 1 and char == " ":
            # A space at the outermost level means `as`, `dyn`, `impl`, `mut`: not a plain path.
            return name
    return name
