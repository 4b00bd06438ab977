"""Which frames belong to the allocator: they stand at the leaf of every heap stack and say nothing."""

from __future__ import annotations

import re

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
