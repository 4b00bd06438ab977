"""The archive that is unpacked: the same for every variant of a block."""

from __future__ import annotations

import io
from pathlib import Path


def write(path: Path, files: int, folders: int, size: int, seed: int) -> None:
    """A tar of `files` files of `size` bytes in `folders` folders, whose names and bytes are those of `seed`."""
    import random
    import tarfile

    numbers = random.Random(seed)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(folders):
            folder = tarfile.TarInfo(f"d{number:05}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for number in range(files):
            member = tarfile.TarInfo(f"d{number % folders:05}/{numbers.getrandbits(64):016x}-{number}")
            member.size, member.mode = size, 0o644
            archive.addfile(member, io.BytesIO(numbers.randbytes(size)))
