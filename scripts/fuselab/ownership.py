"""Hands files that root has written back to the person who typed sudo.

Nothing here decides what to run as whom: it only mends the ownership of what is there afterwards.
"""

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def give_back(paths: Iterable[Path], environ: Mapping[str, str] = os.environ) -> int:
    """Give every file of root's below `paths` to the user named by SUDO_UID and SUDO_GID; return how many.

    Does nothing outside sudo. A path that belongs to root in a folder of root's (root's own checkout) is left
    alone, and so are other users' files. Symbolic links are changed themselves and never followed, a file that has
    another name outside `paths` is left alone (it is somebody else's, too), and other filesystems mounted below are
    not entered. A path that is not there is skipped.
    """
    uid, gid = behind_sudo(environ), int(environ.get("SUDO_GID", 0))
    if uid == 0:
        return 0
    trees = [path for path in paths if _is_for_the_caller(path)]
    names: Counter[tuple[int, int]] = Counter()
    for top in trees:
        for status in (_status(name, folder_fd) for name, folder_fd in _entries(top)):
            if status is not None and not stat.S_ISDIR(status.st_mode):
                names[status.st_dev, status.st_ino] += 1
    return sum(_give(name, folder_fd, uid, gid, names) for top in trees for name, folder_fd in _entries(top))


def behind_sudo(environ: Mapping[str, str] = os.environ) -> int:
    """Uid of who typed sudo, if we are root behind it; else 0."""
    uid = environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return int(uid) if uid.isdigit() else 0


def _is_for_the_caller(top: Path) -> bool:
    try:
        return not top.lstat().st_uid == top.parent.lstat().st_uid == 0
    except FileNotFoundError:
        return False


def _entries(top: Path) -> Iterator[tuple[str, int | None]]:
    """`top` and all below it on its disk, as names with a descriptor of the folder they are in."""
    yield str(top), None
    device = top.lstat().st_dev
    # fwalk opens folders by descriptor and does not follow links, so a folder that is replaced by a link
    # while this runs cannot lead it out of the tree.
    for _, folders, files, folder_fd in os.fwalk(top, onerror=None, follow_symlinks=False):
        yield from ((name, folder_fd) for name in [*folders, *files])
        folders[:] = [name for name in folders if _device(name, folder_fd) == device]


def _status(name: str, folder_fd: int | None) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=folder_fd)
    except OSError:
        return None


def _device(name: str, folder_fd: int) -> int | None:
    status = _status(name, folder_fd)
    return None if status is None else status.st_dev


def _give(name: str, folder_fd: int | None, uid: int, gid: int, names: Mapping[tuple[int, int], int]) -> int:
    status = _status(name, folder_fd)
    if status is None or status.st_uid != 0:
        return 0
    if not stat.S_ISDIR(status.st_mode) and status.st_nlink > names[status.st_dev, status.st_ino]:
        return 0
    try:
        os.chown(name, uid, gid, dir_fd=folder_fd, follow_symlinks=False)
    except OSError:
        # Gone in the meantime, or the root of a dead mount: neither is a file of the caller's.
        return 0
    return 1


if __name__ == "__main__":
    give_back(Path(argument) for argument in sys.argv[1:])
