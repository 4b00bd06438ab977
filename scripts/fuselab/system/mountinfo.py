"""/proc/self/mountinfo: what is mounted where, and a way to sleep until that changes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class MountRecord:
    """What is mounted, as it stands in run.json too."""

    fstype: str
    source: str
    options: str


@dataclass(frozen=True)
class Mount:
    mountpoint: str
    device: int
    """As in st_dev."""
    record: MountRecord


def parse(text: str) -> list[Mount]:
    """Lines of proc_pid_mountinfo(5), in the order of mounting."""
    mounts = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        _, _, device, _, mountpoint, options = left.split(" ")[:6]
        fstype, source, super_options = right.split(" ", 2)
        major, minor = device.split(":")
        record = MountRecord(_plain(fstype), _plain(source), _joined(options, super_options))
        mounts.append(Mount(_plain(mountpoint), os.makedev(int(major), int(minor)), record))
    return mounts


def mounted_at(path: Path) -> Mount | None:
    """The topmost mount exactly at `path` (no symbolic links in it); None if there is none."""
    found = [mount for mount in parse(_read()) if mount.mountpoint == str(path)]
    return found[-1] if found else None


def mount_of(path: Path) -> Mount:
    """The mount that the existing `path` lies on."""
    here = path.resolve()
    above = [mount for mount in parse(_read()) if here.is_relative_to(mount.mountpoint)]
    if not above:
        raise FileNotFoundError(f"no mount above {path}")
    return sorted(above, key=lambda mount: len(mount.mountpoint))[-1]  # of several there, the topmost


def below(path: Path) -> list[str]:
    """Mount points at or below `path`."""
    return [m.mountpoint for m in parse(_read()) if Path(m.mountpoint).is_relative_to(path)]


def _read() -> str:
    return os.fsdecode(MOUNTINFO.read_bytes())


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _joined(*lists: str) -> str:
    """Options of the mount, then those of the filesystem that it does not repeat."""
    words: dict[str, None] = {}
    for text in lists:
        words |= dict.fromkeys(text.split(","))
    return ",".join(words)
