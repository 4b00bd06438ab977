"""What a reader is shown first of a function: a short name, and whose it is.

A full name says where a function is defined, in which type, with which arguments: more than a box of a flamegraph
holds. The short one keeps the last two words of the path. Whose it is goes by the crate that stands first in a Rust
path: the program's own crates are called like the program or begin so. Where no crate is, as in C or in spans, all is
taken for the program's own that is not known to be the kernel's, a runtime's or a library's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from fuselab.analysis import request_frames
from fuselab.analysis.symbols.demangle import as_cast, closing
from fuselab.analysis.symbols.spelling import without_generics

OWN = ""
KERNEL = "kernel"
_KERNEL_MARK = "_[k]"
_CLOSURE = re.compile(r"\{.*\}")
_CRATE = re.compile(r"(?<![\w:])([a-z_]\w*)::")
_RUNTIME = {
    "std", "core", "alloc", "test", "backtrace", "tokio", "tokio_util", "mio", "futures", "futures_core",
    "futures_util", "futures_channel", "__gnu_cxx", "__cxxabiv1",
}  # fmt: skip
"""Crates that are nobody's program."""
_C_RUNTIME = re.compile(
    r"_start|_*(?:libc_)?start_(?:main|call_main|thread|thread_2)|_*clone3?|_+(?:GI_+)?(?:libc_)?\w+|p(?:read|write)v?64|"
    r"mem(?:cpy|move|set|cmp)\w*|malloc|free|calloc|realloc|epoll_wait|syscall|u?sleep|nanosleep|clock_\w+|pthread_\w+|"
    r"sem_(?:timed)?wait|aligned_alloc|posix_memalign|operator (?:new|delete).*|"
    r"(?:runtime|internal|syscall|reflect|sync)[./].*|"
    r"(?:time|os|io|bufio|bytes|strings|fmt|net|context|encoding|math|sort|hash|crypto|compress)(?:/\w+)*\.(?:\(\*|[A-Z]).*"
)
"""What libc, C++ and Go's runtime and library put below a program or above it."""


def label(name: str) -> str:
    """The last two words of a function's path, without type arguments and closures; any other name as it is."""
    bare = name.removesuffix(_KERNEL_MARK)
    if "::" not in bare:
        return bare
    if bare.startswith("<") and (end := closing(bare)) < len(bare) - 1:
        bare = as_cast(bare[1:end])[0].lstrip("&*").removeprefix("mut ") + bare[end + 1 :]
    words = [word for word in without_generics(bare).split("::") if word and not _CLOSURE.fullmatch(word)]
    return "::".join(words[-2:]) or name


_LAST_CLOSURES = re.compile(
    r"(?:::\{\{?(?!lambda)[^{}]*\}?\}(?:#\d+)?)+$|::\{lambda\(.*\)#\d+\}(?:::operator\(\).*)?$|(?<=\w)\.(?:func|gowrap)\d+(?:\.\d+)*$"
)
"""Rust's closures and async blocks, C++'s lambdas, Go's functions without a name."""


def enclosing(name: str) -> str:
    """The function whose closure, async block or lambda `name` is; any other name as it is."""
    return _LAST_CLOSURES.sub("", name) or name


def crate(name: str) -> str:
    """The first crate that a Rust name says; "" where it says none."""
    found = _CRATE.search(name)
    return found[1] if found else ""


class Owners:
    """Tells whose a function is, among `names`. `programs`: what the programs looked at are called."""

    def __init__(self, names: Iterable[str], programs: Collection[str]) -> None:
        called = tuple(program.replace("-", "_") for program in programs)
        crates = {crate(name) for name in names}
        self._own = {each for each in crates if any(each == p or each.startswith(f"{p}_") for p in called)}
        # In stacks of a Rust program's machine code what has no crate is C. Names of spans and tasks have none either.
        self._in_rust = bool(self._own) and not crates.isdisjoint(("std", "core", "alloc"))

    def of(self, name: str) -> str:
        """OWN, KERNEL, the crate, or the file of a library: `tokio`, `C`, `libfuse3.so.3`."""
        if name in request_frames.ALL:
            return OWN
        if name.endswith(_KERNEL_MARK):
            return KERNEL
        if name.startswith("[") and name.endswith("]"):
            return name[1:-1] or "C"
        if found := crate(name):
            theirs = found not in self._own if self._own else found in _RUNTIME
            return found if theirs else OWN
        if name.startswith("<") and ">::" in name:
            return "core"  # a method of a type that no crate has: `<*const T>::read`, `<[T]>::iter`
        return "C" if self._in_rust or _C_RUNTIME.fullmatch(name) else OWN
