"""Which frames belong to the allocator: they stand at the leaf of every heap stack and say nothing."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence

OWN_MODULES = re.compile(r"(?:^|/)lib(?:jemalloc|tcmalloc|mimalloc)[^/]*\.so[^/]*$")
"""Allocators that come as a library: all of their code is the allocator's, named or not."""

# Below one of these nothing belongs to the program, whatever it is called (jemalloc's internals have plain
# names).
_ENTRY = re.compile(
    r"^(?:_?r?je_\w+|_rjem_\w+|malloc|calloc|realloc|reallocarray|memalign|posix_memalign|aligned_alloc|p?valloc"
    r"|(?:m|r|s?d)allocx|operator new(?:\[\])?"
    r"|(?:__rustc::)?__(?:rust|rdl|rg)_(?:alloc|realloc|alloc_zeroed)"
    r"|.*\bas core::alloc::global::GlobalAlloc>::\w+)(?:@.*)?$"
)
# Peeled from the leaf: the allocator by prefix, and the standard library's way to it.
_LEAF = re.compile(
    r"^(?:prof_|_?r?je_|_rjem_|(?:__rustc::)?__r(?:ust|dl|g)_|malloc|calloc|realloc|__libc_(?:malloc|calloc|realloc)"
    r"|<?alloc::alloc::|<?alloc::raw_vec::|<alloc::alloc::Global as |<.* as core::alloc::"
    r"|alloc::boxed::Box<.*>::(?:try_)?new|alloc::boxed::box_new|__gnu_cxx::new_allocator|std::allocator"
    r"|std::__new_allocator|std::allocator_traits)"
)
NOTHING_LEFT = ("[allocator]",)
"""The stack of what the allocator keeps for itself."""


def trim(stack: tuple[str, ...]) -> tuple[str, ...]:
    """A stack, root first, without the allocator's frames at its leaf."""
    end = next((index for index, name in enumerate(stack) if _ENTRY.match(name)), len(stack))
    while end and _LEAF.match(stack[end - 1]):
        end -= 1
    return stack[:end] or NOTHING_LEFT


_LOADER = re.compile(r"(?:^|/)ld-(?:linux|musl)[^/]*\.so[^/]*$")
_RUNTIME = re.compile(r"(?:^|/)libstdc\+\+\.so[^/]*$")
_POOL = re.compile(r"^_GLOBAL__sub_I_eh_alloc\.cc$|\(anonymous namespace\)::pool::pool\b")


def startup(functions: Sequence[str], modules: Sequence[str]) -> bool:
    """Whether a stack, root first, is the C++ runtime's own start: the pool from which it throws when memory is out.

    libjemalloc is linked with libstdc++, so every program has it under LD_PRELOAD, 72,704 bytes of it. The function
    has a name only where libstdc++ has symbols; without them it is known by who called: the dynamic loader alone.
    """
    if any(_POOL.search(name) for name in functions):
        return True
    others = [module for module in modules if not OWN_MODULES.search(module)]
    loader = [bool(_LOADER.search(module)) for module in others]
    runtime = [bool(_RUNTIME.search(module)) for module in others]
    return any(runtime) and any(loader) and all(map(operator.or_, loader, runtime))
