"""Symbol caches on disk, one per build id: the slow reading of debug information happens once per binary.

`symbolic` writes the cache (functions, inlined calls and ELF symbols, ready to be mapped into memory). Files
are written under a lock and renamed into place, so any number of processes may ask at the same time.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab.analysis.symbols.elf import DEBUG_ROOTS, ElfImage, debug_file
from fuselab.errors import NoSymbolsError

if TYPE_CHECKING:
    from symbolic.symcache import SymCache


def default_folder() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/fuselab/symbols`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "fuselab" / "symbols"


def open_symcache(
    image: ElfImage, folder: Path | None = None, debug_roots: tuple[Path, ...] = DEBUG_ROOTS
) -> SymCache:
    """The symbol cache of a binary, made if it is not there yet.

    A separate debug file, if installed, is preferred over the binary's own tables. Raises NoSymbolsError
    where neither can be read.
    """
    from symbolic.symcache import SYMCACHE_LATEST_VERSION

    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    separate = debug_file(image.build_id, debug_roots)
    source = separate or image.path
    # `strip` leaves the build id as it is: a file with symbols and one without are told apart by their sizes.
    kind = "debug" if separate else f"self-{image.path.stat().st_size}"
    file = folder / f"{image.build_id}.{kind}.v{SYMCACHE_LATEST_VERSION}.symcache"
    if cache := _try_open(file):
        return cache
    with _locked(file.with_suffix(".lock")):
        # Another process may have made it while this one waited.
        if cache := _try_open(file):
            return cache
        _make(source, file)
    cache = _try_open(file)
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


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def _make(source: Path, file: Path) -> None:
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        # The archive must outlive the object: it owns the mapped file.
        archive = Archive.open(str(source))
        cache = next(archive.iter_objects()).make_symcache()
    except (SymbolicError, StopIteration) as error:
        raise NoSymbolsError(f"no symbols can be read from {source}: {error}") from error
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            cache.dump_into(stream)  # type: ignore[no-untyped-call]
            os.fchmod(stream.fileno(), 0o644)
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
