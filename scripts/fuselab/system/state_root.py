"""Which folder the state of runs may lie in: one of its own, that nobody else can change under us."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuselab.errors import RigError
from fuselab.files import open_folder
from fuselab.ownership import behind_sudo
from fuselab.system import mountinfo
from fuselab.system.namespaces import all_accounts_mapped

_WHOLE = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr")
"""Folders of the system with all that is below them."""
_BY_THEMSELVES = ("/", "/dev", "/dev/shm", "/home", "/media", "/mnt", "/opt", "/run", "/run/lock", "/run/user", "/srv",
                  "/tmp", "/var")  # fmt: skip
"""Folders that belong to everybody: one below them may be ours."""
_ELSEWHERE = {"9p", "afs", "beegfs", "ceph", "cifs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "ocfs2",
              "orangefs", "pvfs2", "smb3", "sshfs"}  # fmt: skip
"""Filesystems whose disk is another machine's, as the kernel calls them; `fuse.` before the name does not matter."""
_OWN_NAME = "fuselab-state"


def refusal(folder: Path, checkout: Path) -> str | None:
    """Why `folder` (absolute, without symbolic links) cannot hold the state of runs, with the mend; None if it can."""
    above = f"'state' is a folder of its own on the disk that is to be measured, as {folder / _OWN_NAME}"
    if any(folder.is_relative_to(system) for system in _WHOLE):
        return (
            f"{folder} belongs to the system: 'state' is a folder of yours on the disk that is to be measured"
        )
    if str(folder) in _BY_THEMSELVES or folder.parent == Path("/var"):
        return f"{folder} belongs to everybody: {above}"
    if folder in _homes():
        return f"{folder} is somebody's home: {above}"
    if checkout.is_relative_to(folder):
        return f"{folder} holds this checkout: {above}"
    if any(folder.is_relative_to(checkout / name) for name in (".git", ".snakemake", ".venv")):
        return f"{folder} is where another program keeps its files: leave 'state' out, or name another folder"
    if folder != checkout / "results" / "state" and mountinfo.mounted_at(folder):
        return f"{folder} is the root of a mount: {above}"
    return None


def owner_refusal(status: os.stat_result) -> str | None:
    """Why a folder with this status cannot be trusted: others could put their files in the place of ours."""
    # In a user namespace of our own most owners are nobody; there we can harm but ourselves.
    if status.st_uid not in trusted() and all_accounts_mapped():
        return f"belongs to another user ({_name(status.st_uid)})"
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        return "may be written by everybody"
    return None


def network_refusal(folder: Path) -> str | None:
    """Why the existing `folder` cannot hold the state of runs: figures would be of a server and of who else uses it."""
    kind = mountinfo.mount_of(folder).record.fstype
    if kind.removeprefix("fuse.") not in _ELSEWHERE:
        return None
    return (
        f"{folder} is on a network filesystem ({kind}): 'state' is a folder on a disk of the machine that measures, "
        f"as /var/tmp/{_OWN_NAME}; only results may be shared"
    )


def trusted() -> set[int]:
    """Who can have us do what they like anyway: we, root, who typed sudo, and whose code this is."""
    return {os.geteuid(), 0, os.stat(__file__).st_uid, behind_sudo()}


@contextmanager
def opened(folder: Path, checkout: Path) -> Iterator[int]:
    """A descriptor of the state root, made if need be. Raises RigError if it is refused, OSError if it is not there."""
    if reason := refusal(folder, checkout):
        raise RigError(f"the state folder is refused: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    with open_folder(folder) as descriptor:
        if reason := owner_refusal(os.fstat(descriptor)):
            raise RigError(
                f"the state folder {folder} {reason}: name one of your own with `state:` in the experiment"
            )
        if reason := network_refusal(folder):
            raise RigError(f"the state folder is refused: {reason}")
        yield descriptor


def _homes() -> set[Path]:
    homes = {entry.pw_dir for entry in pwd.getpwall()} | {os.path.expanduser("~")}
    return {Path(os.path.realpath(home)) for home in homes if home.startswith("/")}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
