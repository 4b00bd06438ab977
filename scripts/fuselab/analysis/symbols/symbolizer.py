"""Names for addresses, inlined calls included, in one batch per module.

Release Rust inlines whole async functions into their runtime's `block_on`; without inlined frames a profile
shows none of them. `symbolic` (the library Sentry symbolises with) reads them from the debug information.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.symbols.demangle import demangle, mangling
from fuselab.analysis.symbols.elf import DEBUG_ROOTS, ElfImage, debug_file, read_image
from fuselab.analysis.symbols.function_table import COLD, FunctionTable, read_function_table
from fuselab.analysis.symbols.maps import Place
from fuselab.analysis.symbols.pclntab import read_go_table
from fuselab.analysis.symbols.perf_map import PerfMap, is_perf_map, read_perf_map
from fuselab.analysis.symbols.symcache import open_symcache
from fuselab.errors import NoSymbolsError, NotElfError
from fuselab.paths import cache_folder

if TYPE_CHECKING:
    from symbolic.symcache import SymCache


Frames = tuple[str, ...]
"""Function names at one address, the outermost first: the function itself, then what was inlined into it."""


@dataclass
class Symbols:
    """Names places; remembers every answer, so it serves all captures of one binary.

    A module whose file changed since it was mapped is never used for names: they would be wrong. `kept` are the files
    that captures keep beside them, by build id: they are used before what lies at the module's path now. What could
    not be used is in `problems`, as path -> reason.
    """

    kept: dict[str, Path] = field(default_factory=dict)
    cache_folder: Path = field(default_factory=lambda: cache_folder() / "symbols")
    debug_roots: tuple[Path, ...] = DEBUG_ROOTS
    problems: dict[str, str] = field(default_factory=dict)
    manglings: set[str] = field(default_factory=set)
    """How the Rust functions that were named are mangled."""
    _modules: dict[tuple[str, str], _Elf | PerfMap | None] = field(default_factory=dict, repr=False)
    _known: dict[Place, Frames] = field(default_factory=dict, repr=False)

    def name(self, places: Iterable[Place]) -> dict[Place, Frames]:
        """Frames for every place asked for; an empty tuple where nothing is known of it."""
        wanted = set(places)
        loaded = {place: self._load(place) for place in wanted - self._known.keys()}
        raw = {place: module.at(place.offset) if module else () for place, module in loaded.items()}
        mangled = {name for frames in raw.values() for name in frames}
        plain = demangle(mangled)
        self.manglings |= {said for name in mangled if plain[name] != name and (said := mangling(name))}
        self._known |= {place: tuple(plain[name] for name in frames) for place, frames in raw.items()}
        return {place: self._known[place] for place in wanted}

    def image(self, place: Place) -> ElfImage | None:
        """The ELF file that a place is in; None where there is none that could be the same."""
        loaded = self._load(place)
        return loaded.image if isinstance(loaded, _Elf) else None

    def _load(self, place: Place) -> _Elf | PerfMap | None:
        if place.file not in self._modules:
            try:
                self._modules[place.file] = self._open(place)
            except (OSError, NotElfError, NoSymbolsError) as error:
                self.problems[place.module] = str(error)
                self._modules[place.file] = None
        return self._modules[place.file]

    def _open(self, place: Place) -> _Elf | PerfMap | None:
        path = self.kept.get(place.build_id)
        if is_perf_map(place.module):
            return read_perf_map(path) if path else None
        if path is None and (not place.module.startswith("/") or place.module.startswith(_NO_FILES)):
            return None
        path = path or Path(place.module.removesuffix(" (deleted)"))
        image = read_image(path)
        if place.build_id and place.build_id != image.build_id:
            self.problems[place.module] = (
                f"{path} is not the file that was profiled: its build id is {image.build_id}, not {place.build_id}"
            )
            return None
        separate = debug_file(image.build_id, self.debug_roots)
        go = None if separate else read_go_table(path)
        return _Elf(image, open_symcache(image, self.cache_folder, self.debug_roots), go, separate or path)


@dataclass(frozen=True)
class _Elf:
    """A file with its symbols."""

    image: ElfImage
    cache: SymCache
    go: FunctionTable | None
    """Of a stripped Go program."""
    symbols: Path
    """The file that the cache was made of."""

    def at(self, offset: int) -> Frames:
        address = self.image.address_of(offset)
        if address is None:
            return ()
        if self.go and (name := self.go.at(address)):
            return (name,)
        matches = self.cache.lookup(address - self.image.load_address)  # type: ignore[no-untyped-call]
        names = [m.symbol for m in reversed(matches) if m.symbol and m.symbol not in _NO_SIZE]
        if names and COLD.search(names[0]):
            names[0] = self._functions.whole(address) or names[0]
        return tuple(names)

    @cached_property
    def _functions(self) -> FunctionTable:
        return read_function_table(self.symbols)


_NO_FILES = ("//anon", "/memfd:", "/dev/")
"""Paths that no file holds the symbols of; [vdso], [heap] and the like have no path."""
_NO_SIZE = frozenset({"_init", "_fini"})
"""Symbols of a few bytes that say no size: in a stripped binary they would name all that follows."""
