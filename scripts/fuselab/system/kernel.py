"""What only the kernel can be asked to do: bring up a network, mount fusectl, break a connection, drop caches."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import ctypes

T = TypeVar("T")

_FUSECTL = Path("/sys/fs/fuse/connections")
_MINOR_BITS = 20
_MNT_DETACH = 2
SYNC_LIMIT_S = 60.0
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def loopback_up() -> None:
    """Bring `lo` up: it is down in a new network namespace, and 127.0.0.1 unreachable."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        flags = struct.unpack("16xh", fcntl.ioctl(s, _SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))[0]
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | _IFF_UP))


def mount_fusectl() -> None:
    """Make FUSE connections breakable. A user namespace may not mount it: then only killing the target frees them."""
    mount("fusectl", _FUSECTL)


def mount(kind: str, folder: Path) -> None:
    """Mount a filesystem of the kernel's own where it is not, if that is permitted."""
    if folder.is_dir() and not os.path.ismount(folder):
        _libc().mount(b"none", bytes(folder), kind.encode(), 0, None)


def detach(mountpoint: str) -> None:
    """Take a mount out of the tree, whatever still uses it."""
    _libc().umount2(os.fsencode(mountpoint), _MNT_DETACH)


def abort_connection(device: int) -> bool:
    """Fail everything that waits on the FUSE mount with the device number `device`; whether that was possible."""
    try:
        (_FUSECTL / str(connection_number(device)) / "abort").write_text("1")
    except OSError:
        return False
    return True


def waiting(device: int) -> int | None:
    """Requests of the FUSE mount with the device number `device` that are on their way; None if that cannot be seen."""
    return _number(device, "waiting")


@dataclass(frozen=True)
class Connection:
    """A FUSE mount as the kernel sees it."""

    number: int
    """What fusectl and the tracepoints call it by: `connection_number`."""
    max_background: int | None
    """Requests that nobody waits for (write-back, read-ahead) that may be on their way at once; None: not seen."""
    congestion_threshold: int | None


def connection_number(device: int) -> int:
    """Of the mount with the device number `device` (as in st_dev): the kernel's form of it (kdev_t.h).

    Of most mounts that is the minor number alone; one that a block device lies below (`fuseblk`) has that one's major.
    """
    return os.major(device) << _MINOR_BITS | os.minor(device)


def connection(device: int) -> Connection:
    """Of the mount with the device number `device`."""
    limits = (_number(device, name) for name in ("max_background", "congestion_threshold"))
    return Connection(connection_number(device), *limits)


def _number(device: int, name: str) -> int | None:
    """What fusectl says of a mount; None where it cannot be asked."""
    try:
        return int((_FUSECTL / str(connection_number(device)) / name).read_text())
    except (OSError, ValueError):
        return None


def drop_caches() -> str | None:
    """Empty the page, dentry and inode caches; None, or why not."""
    try:
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
    except OSError as error:
        return os.strerror(error.errno or errno.EPERM)
    return None


def sync_filesystem(folder: Path, timeout_s: float) -> bool:
    """Write back what is dirty on the filesystem of `folder`; False if that took longer than `timeout_s`."""
    descriptor = os.open(folder, os.O_RDONLY)
    done = sync(descriptor, timeout_s)
    if done:  # otherwise the thread still uses it: it stays open
        os.close(descriptor)
    return done


def sync(descriptor: int, timeout_s: float) -> bool:
    """As `sync_filesystem`, of what is open there."""
    libc = _libc()
    try:
        within(timeout_s, lambda: libc.syncfs(descriptor))
    except TimeoutError:
        return False
    return True


def _libc() -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """The result of `call`, made in a thread: for system calls that a hung filesystem never returns from.

    Raises TimeoutError, and whatever `call` raises.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
