"""What a capture keeps of the programs that it looked at, so that their addresses mean the same later and elsewhere.

- `modules.json`: the build id of every file that was mapped, by path. A file may be another by the time it is read.
- `vdso.so`: the code that the kernel maps into every process. It is in no file, and other kernels have another.
- `perf-PID.map`: what a runtime that compiles while it runs says of its code (`perf_map`). The next run overwrites it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.symbols.elf import read_image
from fuselab.analysis.symbols.maps import MIXED
from fuselab.errors import NotElfError
from fuselab.files import sha256, write_atomically
from fuselab.system import procfs

MODULES, VDSO_FILE = "modules.json", "vdso.so"
VDSO = "[vdso]"
LARGEST_MAP_BYTES = 64 << 20
_LINE = re.compile(r"^([0-9a-f]+-[0-9a-f]+) ..x. [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+ \d+)\s+(/.*)$", re.M)
_OWN_VDSO = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$", re.M)
_GNU_BUILD_ID = re.compile(rb"\x04\0{3}(.)\0{3}\x03\0{3}GNU\0", re.DOTALL)


@dataclass(frozen=True)
class Kept:
    """What one capture kept; nothing, if it was made without."""

    build_ids: Mapping[str, str] = field(default_factory=dict)
    """By path as the program saw it; MIXED where it mapped two files by one path."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Build id -> file."""


def keep_modules(folder: Path, pids: Iterable[int]) -> None:
    """Note the modules of processes in a capture's folder, beside those that are noted there already.

    A process that has ended, or may not be looked at, has none.
    """
    noted = _noted(folder)
    identities: dict[str, str | None] = {}
    for pid in pids:
        _keep_perf_map(folder, pid)
        for span, inode, module in _mapped(pid):
            if inode not in identities:
                mapped = Path(f"/proc/{pid}/map_files/{span}")
                identities[inode] = _identity(mapped) or _identity_of(module, inode)
            if (build_id := identities[inode]) is not None:
                noted[module].add(build_id)
    text = json.dumps({module: sorted(found) for module, found in sorted(noted.items())}, indent=1)
    (folder / MODULES).write_text(f"{text}\n", encoding="utf-8")
    if not (folder / VDSO_FILE).exists() and (image := own_vdso()):
        (folder / VDSO_FILE).write_bytes(image)


def _keep_perf_map(folder: Path, pid: int) -> None:
    """As far as it is written; it is named by the number that the process has for itself."""
    with suppress(OSError):
        source = Path(f"/proc/{pid}/root/tmp/perf-{procfs.inner_pid(pid)}.map")
        if source.is_file() and source.stat().st_size <= LARGEST_MAP_BYTES:
            shutil.copyfile(source, folder / f"perf-{pid}.map")


def read_kept(folder: Path) -> Kept:
    """What `keep_modules` left in the folder of a capture."""
    build_ids = {
        module: next(iter(found)) if len(found) == 1 else MIXED for module, found in _noted(folder).items()
    }
    files: dict[str, Path] = {}
    for path in folder.glob("perf-*.map"):
        identity = f"sha256-{sha256(path)}"
        build_ids[f"/tmp/{path.name}"], files[identity] = identity, path
    return _with_vdso(Kept(build_ids, files), folder / VDSO_FILE)


def own_vdso() -> bytes | None:
    """The kernel's code in this very process, the same as in every other of 64 bits; None where there is none."""
    with suppress(OSError):
        if found := _OWN_VDSO.search(Path("/proc/self/maps").read_text()):
            start, end = (int(text, 16) for text in found.groups())
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                return os.pread(memory.fileno(), end - start, start)
    return None


def with_running_vdso(kept: Kept, kernel: str, folder: Path) -> Kept:
    """`kept` with this machine's vdso, if it has none and was recorded under the kernel (a build id) that runs."""
    if VDSO in kept.build_ids or not kernel or kernel != _running_kernel() or not (image := own_vdso()):
        return kept
    file = folder / f"{kernel}.{VDSO_FILE}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, image)
    return _with_vdso(kept, file)


def _with_vdso(kept: Kept, file: Path) -> Kept:
    with suppress(OSError, NotElfError):
        image = read_image(file)
        return Kept({**kept.build_ids, VDSO: image.build_id}, {**kept.files, image.build_id: file})
    return kept


def _running_kernel() -> str:
    """Build id of the kernel that runs: of the notes in /sys/kernel/notes (elf(5)), the one of type 3 by GNU."""
    with suppress(OSError):
        notes = Path("/sys/kernel/notes").read_bytes()
        if found := _GNU_BUILD_ID.search(notes):
            return notes[found.end() : found.end() + found[1][0]].hex()
    return ""


def _noted(folder: Path) -> defaultdict[str, set[str]]:
    text = (folder / MODULES).read_bytes() if (folder / MODULES).is_file() else b"{}"
    return defaultdict(set, {module: set(found) for module, found in json.loads(text).items()})


def _mapped(pid: int) -> Iterable[tuple[str, str, str]]:
    """(addresses, device and inode, path) of every executable mapping of a file."""
    with suppress(OSError):
        for match in _LINE.finditer(Path(f"/proc/{pid}/maps").read_text(errors="replace")):
            start, _, end = match[1].partition("-")
            yield f"{int(start, 16):x}-{int(end, 16):x}", match[2], match[3]


def _identity(path: Path) -> str | None:
    with suppress(OSError, NotElfError):
        return read_image(path).build_id
    return None


def _identity_of(module: str, inode: str) -> str | None:
    """By its path, where /proc/PID/map_files may not be read, and if that is still the file that was mapped."""
    with suppress(OSError):
        stat = os.stat(module)
        if inode == f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x} {stat.st_ino}":
            return _identity(Path(module))
    return None
