"""One spelling for two sides of a comparison whose Rust functions were mangled in two ways.

A v0 name says what a legacy one does not: generic arguments (`serve::<a::Disk>`, legacy `serve`), the type that a
blanket impl or a trait's own method stands for (`<a::Disk as Store>::put`, legacy `<T as Store>::put` or `Store::put`).
What was one function in one profile is then several in the other, and all of them "move". So names that may be the same
function become one *for the comparison*; each profile keeps the names that it has. Three rules:

- names that differ in generic arguments alone are one, but for drop glue, whose type both manglings say;
- a parameter of a legacy name (`T` in `<&T as Debug>::fmt`: real types have a crate before them) stands for any type;
- a trait's own method stands for that of any type.

Only where a rule joins names that are not the same on both sides: what both sides tell apart alike stays apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from fuselab.analysis.symbols.demangle import as_cast, closing

_WORD = re.compile(
    r"[iu](?:8|16|32|64|128|size)|f(?:16|32|64|128)|bool|char|str|true|false|dyn|mut|const|fn|as|for|unsafe|extern|C|system"
    r"|int|long|short|unsigned|signed|float|double|void"
)
"""Types and words that stand without a path, C++'s too."""
_TOKEN = re.compile(r"(?<![\w:'.])[A-Za-z_]\w*(?!\w|::|\.)")
_DROP = re.compile(r"^(?P<path>(?:\w+::)*drop_in_place)::<")


def common_spelling(before: Collection[str], after: Collection[str]) -> dict[str, str]:
    """Name -> the name of its group, for those names of two profiles that have to be taken together."""
    by_method: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in {*before, *after}:
        type_, method = _split(name)
        by_method[method][type_].add(name)
    found: dict[str, str] = {}
    ours, theirs = set(before), set(after)
    for types in by_method.values():
        for group in _groups(types):
            names = {name for type_ in group for name in types[type_]}
            shown = {name if _DROP.match(name) else without_generics(name) for name in names}
            if names & ours != names & theirs and any(map(_is_vague, names)):
                found |= dict.fromkeys(
                    names, min(shown, key=lambda name: (name.startswith("<"), len(name), name))
                )
    return {name: common for name, common in found.items() if name != common}


def _is_vague(name: str) -> bool:
    """Whether a name may stand for several functions: it says no type argument, or has a parameter in place of one."""
    return without_generics(name) == name or any(
        not _WORD.fullmatch(token[0]) for token in _TOKEN.finditer(name)
    )


def _split(name: str) -> tuple[str, str]:
    """The implementing type ("" where none is said) and the method, both without generic arguments."""
    if drop := _DROP.match(name):
        # Of drop glue both manglings say the type in full.
        return name[drop.end() : closing(name, drop.end() - 1)], drop["path"]
    if not name.startswith("<"):
        return "", without_generics(name)
    end = closing(name)
    type_, trait = as_cast(name[1:end])
    return without_generics(type_), without_generics(trait) + without_generics(name[end + 1 :])


def without_generics(path: str) -> str:
    """`a::f::<X>::{{closure}}` -> `a::f::{{closure}}`; the brackets of `<T as Trait>` stay."""
    kept: list[str] = []
    index = 0
    while index < len(path):
        char = path[index]
        if char == "<" and kept and (kept[-1].isalnum() or kept[-1] in "_:}"):
            index = closing(path, index)
            if kept[-2:] == [":", ":"]:
                del kept[-2:]
        else:
            kept.append(char)
        index += 1
    return "".join(kept)


def _groups(types: Iterable[str]) -> list[set[str]]:
    """Types of one method, those together that one pattern fits."""
    groups = [{type_} for type_ in types]
    for pattern in (found for type_ in types if (found := _pattern(type_))):
        fitting = [group for group in groups if any(pattern.fullmatch(type_) for type_ in group)]
        groups = [group for group in groups if group not in fitting]
        groups += [set().union(*fitting)] if fitting else []
    return groups


def _pattern(type_: str) -> re.Pattern[str] | None:
    """What a type with parameters stands for; None for one without."""
    if not type_:
        return re.compile(".*")
    pieces: list[str] = []
    last = 0
    for token in _TOKEN.finditer(type_):
        if not _WORD.fullmatch(token[0]):
            pieces += [re.escape(type_[last : token.start()]), "(?!mut ).+"]
            last = token.end()
    return re.compile("".join([*pieces, re.escape(type_[last:])])) if pieces else None
