"""SHA256SUMS of a finished folder: whether what was measured or built is still what it was then.

The file has the format of GNU coreutils, so that `sha256sum --check SHA256SUMS` says the same by hand. It is written
last, and what it names is on the disk by then. Names that begin with a dot are left out: Snakemake has one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from fuselab.errors import ChangedError
from fuselab.files import flush, sha256, write_atomically

SUMS = "SHA256SUMS"
_SMALL_BYTES = 64 << 10


def write_sums(folder: Path) -> None:
    """Sum every file below `folder`, once it is on the disk."""
    lines = []
    for name in sorted(_names(folder), key=lambda name: name.split("/")):
        flush(folder / name)
        lines.append(_line(sha256(folder / name), name))
    for inner, _, _ in os.walk(folder):
        flush(Path(inner))
    lines.append(_end(len(lines)))
    write_atomically(folder / SUMS, "".join(lines).encode(errors="surrogateescape"))


def fault(folder: Path) -> str | None:
    """What of `folder` is not as it was recorded, with the file's path; None if all of it is. Reads every byte."""
    return _fault(folder, _read(folder))


def _fault(folder: Path, sums: Mapping[str, str] | None) -> str | None:
    if sums is None:
        return _unreadable(folder)
    for name, digest in sums.items():
        path = f"{folder}/{name}"
        if not _is_file(path):
            return f"{path} is gone"
        if sha256(path) != digest:
            return f"{path} is not what was recorded of it (its SHA-256 has changed)"
    return None


def quick_fault(folder: Path) -> str | None:
    """The same where dates tell: what is newer than its sums is read, and what is small, records among it."""
    sums = _read(folder)
    if sums is None:
        return fault(folder)
    summed = os.stat(folder / SUMS).st_mtime_ns
    newer = False
    for name, digest in sums.items():
        path = f"{folder}/{name}"  # no Path: asked of every file of thousands of blocks
        try:
            status = os.lstat(path)
        except OSError:
            return fault(folder)
        if not stat.S_ISREG(status.st_mode) or (status.st_size <= _SMALL_BYTES and sha256(path) != digest):
            return fault(folder)
        newer = newer or status.st_mtime_ns > summed
    if not newer:
        return None
    found = fault(folder)
    if found is None:  # a copy of the folder, say: its files have the dates of the copying
        with suppress(OSError):
            os.utime(folder / SUMS)
    return found


def require_unchanged(folders: Iterable[Path]) -> None:
    """Raise ChangedError if something in one of `folders` has changed since it was summed, or was not there then.

    What has changed is doubted from then on: the next call finds it by its date, however it was changed.
    """
    for folder in folders:
        known = _read(folder)
        if reason := _fault(folder, known):
            with suppress(OSError):
                os.utime(folder / SUMS, (0, 0))
            mend = f"Nothing is made from it. The next call sets {folder} aside, and makes it again."
            raise ChangedError(f"{reason}.\n{mend}")
        for name in _names(folder):
            if name not in (known or {}):
                raise ChangedError(
                    f"{folder / name} was not there when {folder} was finished, and would be read with it: move it "
                    "elsewhere"
                )


def _names(folder: Path) -> Iterator[str]:
    """Of every file below `folder` that is summed, from there."""
    above, left = len(f"{folder}/"), [str(folder)]
    while left:
        # An entry tells a file without asking for it, which os.walk does not hand on.
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                elif (
                    not entry.name.startswith(".")
                    and entry.name != SUMS
                    and entry.is_file(follow_symlinks=False)
                ):
                    yield entry.path[above:]


def _is_file(path: str) -> bool:
    """A regular file: whoever puts a link in its place has changed it."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _unreadable(folder: Path) -> str:
    path = folder / SUMS
    return f"{path} is gone" if not path.exists() else f"{path} is cut or changed"


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def _line(digest: str, name: str) -> str:
    escaped = "".join(_ESCAPES.get(character, character) for character in name)
    mark = "\\" if escaped != name else ""
    return f"{mark}{digest}  {escaped}\n"


def _end(files: int) -> str:
    """The last line, which sha256sum skips: without it the file has been cut."""
    return f"# {files} files\n"


def _read(folder: Path) -> dict[str, str] | None:
    """Digests by name; None if the file is not whole."""
    try:
        text = (folder / SUMS).read_bytes().decode(errors="surrogateescape")
    except OSError:
        return None
    lines = text.removesuffix("\n").split("\n")
    if _end(len(lines) - 1) != f"{lines[-1]}\n":
        return None
    found = {}
    for line in lines[:-1]:
        escaped, line = line.startswith("\\"), line.removeprefix("\\")
        digest, separator, name = line[:64], line[64:66], line[66:]
        if separator != "  " or not name or digest.strip("0123456789abcdef"):
            return None
        found[_unescaped(name) if escaped else name] = digest
    return found


def _unescaped(name: str) -> str:
    whole = {written: character for character, written in _ESCAPES.items()}
    return re.sub(r"\\[\\nr]", lambda match: whole[match[0]], name)
