"""Symbol caches on disk, one per build id: the slow reading of debug information happens once per binary.

`symbolic` writes the cache (functions, inlined calls and ELF symbols, ready to be mapped into memory). Files
are written under a lock and renamed into place, so any number of processes may ask at the same time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.symbols.elf import ElfImage, debug_file
from fuselab.errors import NoSymbolsError
from fuselab.files import atomically
from fuselab.locks import locked

if TYPE_CHECKING:
    from symbolic.symcache import SymCache


def open_symcache(image: ElfImage, folder: Path, debug_roots: tuple[Path, ...]) -> SymCache:
    """The symbol cache of a binary, made if it is not there yet.

    A separate debug file, if installed, is preferred over the binary's own tables. Raises NoSymbolsError
    where neither can be read.
    """
    from symbolic.symcache import SYMCACHE_LATEST_VERSION

    separate = debug_file(image.build_id, debug_roots)
    source = separate or image.path
    # `strip` leaves the build id as it is: a file with symbols and one without are told apart by their sizes.
    kind = "debug" if separate else f"self-{image.path.stat().st_size}"
    file = folder / f"{image.build_id}.{kind}.v{SYMCACHE_LATEST_VERSION}.symcache"
    if cache := _try_open(file):
        return cache
    with locked(file.with_suffix(".lock")):
        cache = _try_open(file)  # another process may have made it while this one waited
        if cache is None:
            _make(source, file)
            cache = _try_open(file)
        file.with_suffix(".lock").unlink(missing_ok=True)
    if cache is None:
        raise NoSymbolsError(f"the symbol cache just written for {source} cannot be read: {file}")
    return cache


def _try_open(file: Path) -> SymCache | None:
    from symbolic.exceptions import SymbolicError
    from symbolic.symcache import SymCache

    try:
        return SymCache.open(str(file)) if file.is_file() else None  # type: ignore[no-untyped-call]
    except SymbolicError:
        return None


def _make(source: Path, file: Path) -> None:
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        # The archive must outlive the object: it owns the mapped file.
        archive = Archive.open(str(source))
        cache = next(archive.iter_objects()).make_symcache()
    except (SymbolicError, StopIteration) as error:
        raise NoSymbolsError(f"no symbols can be read from {source}: {error}") from error
    with atomically(file) as half, half.open("wb") as stream:
        cache.dump_into(stream)  # type: ignore[no-untyped-call]
