"""Names for addresses, inlined calls included, in one batch per module.

Release Rust inlines whole async functions into their runtime's `block_on`; without inlined frames a profile
shows none of them. `symbolic` (the library Sentry symbolises with) reads them from the debug information.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fuselab.analysis.elf import DEBUG_ROOTS, ElfImage, NotElfError, read_image
from fuselab.analysis.names import demangle, mangling
from fuselab.analysis.symcache import NoSymbolsError, open_symcache

if TYPE_CHECKING:
    from symbolic.symcache import SymCache


class Place(NamedTuple):
    """A byte of code: file offset in a module, as maps and perf give it."""

    module: str
    """Path of the ELF file as the profiled process saw it."""
    offset: int
    """Bytes from the start of the file. From a return address subtract 1 first, to be inside the caller."""


Frames = tuple[str, ...]
"""Function names at one address, the outermost first: the function itself, then what was inlined into it."""


@dataclass
class Symbols:
    """Names places; remembers every answer, so it serves all captures of one binary.

    `aliases` maps a module's path as captured to where it can be read now; `build_ids` maps a path as
    captured to the build id that was loaded then. A module whose file changed since is never used for names:
    they would be wrong. What could not be used is in `problems`, as path -> reason.
    """

    aliases: Mapping[str, Path] = field(default_factory=dict)
    build_ids: Mapping[str, str] = field(default_factory=dict)
    cache_folder: Path | None = None
    debug_roots: tuple[Path, ...] = DEBUG_ROOTS
    problems: dict[str, str] = field(default_factory=dict)
    manglings: set[str] = field(default_factory=set)
    """How the Rust functions that were named are mangled."""
    _modules: dict[str, tuple[ElfImage, SymCache] | None] = field(default_factory=dict, repr=False)
    _known: dict[Place, Frames] = field(default_factory=dict, repr=False)

    def name(self, places: Iterable[Place]) -> dict[Place, Frames]:
        """Frames for every place asked for; an empty tuple where nothing is known of it."""
        wanted = set(places)
        by_module: dict[str, list[Place]] = defaultdict(list)
        for place in wanted - self._known.keys():
            by_module[place.module].append(place)
        raw: dict[Place, Frames] = {}
        for module, group in by_module.items():
            raw.update(self._look_up(module, group))
        mangled = {name for frames in raw.values() for name in frames}
        plain = demangle(mangled)
        self.manglings |= {said for name in mangled if plain[name] != name and (said := mangling(name))}
        self._known.update({place: tuple(plain[name] for name in frames) for place, frames in raw.items()})
        return {place: self._known[place] for place in wanted}

    def image(self, module: str) -> ElfImage | None:
        """The ELF file behind a module's path as captured; None where there is none that could be the
        same."""
        loaded = self._load(module)
        return loaded[0] if loaded else None

    def _look_up(self, module: str, places: list[Place]) -> dict[Place, Frames]:
        """Mangled names for places of one module."""
        loaded = self._load(module)
        if loaded is None:
            return dict.fromkeys(places, ())
        image, cache = loaded
        found: dict[Place, Frames] = {}
        for place in places:
            address = image.address_of(place.offset)
            matches = _lookup(cache, address - image.load_address) if address is not None else ()
            found[place] = matches
        return found

    def _load(self, module: str) -> tuple[ElfImage, SymCache] | None:
        if module not in self._modules:
            try:
                self._modules[module] = self._open(module)
            except (OSError, NotElfError, NoSymbolsError) as error:
                self.problems[module] = str(error)
                self._modules[module] = None
        return self._modules[module]

    def _open(self, module: str) -> tuple[ElfImage, SymCache] | None:
        if module.startswith(("[", "//anon", "/memfd:", "/dev/")) or not module.startswith("/"):
            # [vdso], [heap], perf's [kernel.kallsyms]: no file holds their symbols.
            return None
        path = Path(self.aliases.get(module, module.removesuffix(" (deleted)")))
        image = read_image(path)
        expected = self.build_ids.get(module)
        if expected and expected != image.build_id:
            self.problems[module] = (
                f"{path} is not the file that was profiled: its build id is {image.build_id}, not {expected}"
            )
            return None
        return image, open_symcache(image, self.cache_folder, self.debug_roots)


_NO_SIZE = frozenset({"_init", "_fini"})
"""Symbols of a few bytes that say no size: in a stripped binary they would name all that follows."""


def _lookup(cache: SymCache, address: int) -> Frames:
    matches = cache.lookup(address)  # type: ignore[no-untyped-call]
    return tuple(match.symbol for match in reversed(matches) if match.symbol and match.symbol not in _NO_SIZE)
