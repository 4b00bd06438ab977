"""Hands files that root has written back to the person who typed sudo.

Nothing here decides what to run as whom: it only mends the ownership of what is there afterwards.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path


def give_back(paths: Iterable[Path], environ: Mapping[str, str] = os.environ) -> int:
    """Give every file of root's below `paths` to the user named by SUDO_UID and SUDO_GID; return how many.

    Does nothing outside sudo. A path that belongs to root in a folder of root's (root's own checkout) is left
    alone, and so are other users' files. Symbolic links are changed themselves and never followed, and other
    filesystems mounted below are not entered. A path that is not there is skipped.
    """
    uid, gid = int(environ.get("SUDO_UID", 0)), int(environ.get("SUDO_GID", 0))
    if os.geteuid() != 0 or uid == 0:
        return 0
    return sum(_give_tree(path, uid, gid) for path in paths)


def _give_tree(top: Path, uid: int, gid: int) -> int:
    try:
        status, parent = top.lstat(), top.parent.lstat()
    except FileNotFoundError:
        return 0
    if status.st_uid == 0 and parent.st_uid == 0:
        return 0
    given = _give(str(top), None, uid, gid)
    # fwalk opens folders by descriptor and does not follow links, so a folder that is replaced by a link
    # while this runs cannot lead it out of the tree.
    for _, folders, files, folder_fd in os.fwalk(top, onerror=None, follow_symlinks=False):
        given += sum(_give(name, folder_fd, uid, gid) for name in [*folders, *files])
        folders[:] = [name for name in folders if _device(name, folder_fd) == status.st_dev]
    return given


def _device(name: str, folder_fd: int) -> int | None:
    try:
        return os.lstat(name, dir_fd=folder_fd).st_dev
    except OSError:
        return None


def _give(name: str, folder_fd: int | None, uid: int, gid: int) -> int:
    try:
        if os.lstat(name, dir_fd=folder_fd).st_uid != 0:
            return 0
        os.chown(name, uid, gid, dir_fd=folder_fd, follow_symlinks=False)
    except OSError:
        # Gone in the meantime, or the root of a dead mount: neither is a file of the caller's.
        return 0
    return 1


if __name__ == "__main__":
    give_back(Path(argument) for argument in sys.argv[1:])
