"""What naming needs to know of an ELF file: its build id and how file offsets become addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuselab.errors import NotElfError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile


DEBUG_ROOTS = (Path("/usr/lib/debug"),)


@dataclass(frozen=True)
class ElfImage:
    """An ELF file's identity and loadable segments."""

    path: Path
    build_id: str
    """Hex of the GNU build id, or `sha256-<hex>` of the whole file where the linker left none."""
    segments: tuple[tuple[int, int, int], ...]
    """(file offset, size in the file, virtual address) of every PT_LOAD segment, in file order."""

    @property
    def load_address(self) -> int:
        """Virtual address that symbol caches count from: 0 for PIE and shared objects."""
        return self.segments[0][2] if self.segments else 0

    def address_of(self, offset: int) -> int | None:
        """Virtual address, as the linker laid it out, of a file offset; None outside all segments."""
        for start, size, address in self.segments:
            if start <= offset < start + size:
                return offset - start + address
        return None


@lru_cache(maxsize=256)
def _read(path: str, size: int, mtime_ns: int) -> ElfImage:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as stream:
        try:
            elf = ELFFile(stream)
            headers = [segment.header for segment in elf.iter_segments("PT_LOAD")]
            loads = tuple((int(h.p_offset), int(h.p_filesz), int(h.p_vaddr)) for h in headers)
            build_id = _build_id(elf)
        except (ELFError, UnicodeDecodeError) as error:
            raise NotElfError(f"{path} is not a readable ELF file: {error}") from error
        if not build_id:
            stream.seek(0)
            build_id = "sha256-" + hashlib.file_digest(stream, "sha256").hexdigest()
    return ElfImage(Path(path), build_id, loads)


def _build_id(elf: ELFFile) -> str:
    """Hex of the GNU build id, or nothing.

    Sections are asked first: Go's linker puts the build id into one that no note segment covers. A file without a
    table of sections still has its segments.
    """
    places: tuple[Any, ...] = (*elf.iter_sections("SHT_NOTE"), *elf.iter_segments("PT_NOTE"))
    notes = (note for place in places for note in place.iter_notes())
    return next((str(note["n_desc"]) for note in notes if note["n_type"] == "NT_GNU_BUILD_ID"), "")


def read_image(path: Path) -> ElfImage:
    """Identity and segments of an ELF file; only headers are read, so its size does not matter.

    Raises FileNotFoundError, and NotElfError where it is something else.
    """
    stat = path.stat()
    return _read(str(path), stat.st_size, stat.st_mtime_ns)


def debug_file(build_id: str, roots: tuple[Path, ...] = DEBUG_ROOTS) -> Path | None:
    """The separate debug file that a distribution installs for a build id, if it is there."""
    for root in roots:
        candidate = root / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
        if candidate.is_file():
            return candidate
    return None
