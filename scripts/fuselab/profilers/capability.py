"""What a profiler can do for a target, judged from its target.yaml before anything is built."""

from __future__ import annotations

import shutil
from pathlib import Path

from fuselab.profilers.base import Capability
from fuselab.target.model import Installed, NoBuild, Target

OK = Capability("ok")


def described(profiler: str, target: Target) -> Capability:
    """For profilers that the program itself must support: what target.yaml says."""
    support = target.profilers.get(profiler)
    if support is None:
        return Capability("unavailable", f"target.yaml of {target.name} does not describe it")
    if support.unavailable is not None:
        return Capability("unavailable", support.unavailable)
    return OK


def native(profiler: str, target: Target) -> Capability:
    """For profilers that look at any native program from outside."""
    support = target.profilers.get(profiler)
    if support is not None and support.unavailable is not None:
        return Capability("unavailable", support.unavailable)
    if isinstance(target.build, NoBuild):
        return Capability("unavailable", f"{target.name} has no program to look at")
    if isinstance(target.build, Installed):
        return Capability(
            "limited",
            "an installed program: distribution packages are built without frame pointers, stacks may be broken",
        )
    return OK


def preload(profiler: str, target: Target) -> Capability:
    """For profilers that come in by LD_PRELOAD: the program must be linked dynamically, to a C library."""
    known = native(profiler, target)
    if known.level == "unavailable" or not isinstance(target.build, Installed):
        return known
    path = shutil.which(target.build.binary)
    if path is not None and not is_dynamic(Path(path)):
        return Capability(
            "unavailable",
            f"{target.build.binary} is statically linked: LD_PRELOAD cannot give it another malloc",
        )
    return Capability(
        "limited", "malloc is replaced by jemalloc for the capture (LD_PRELOAD): not the heap that was timed"
    )


def is_dynamic(path: Path) -> bool:
    """Whether an ELF program names a dynamic linker (PT_INTERP). Scripts and what cannot be read count as dynamic."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or head[4] != 2:
            return True
        table, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
        file.seek(table)
        headers = file.read(size * count)
    return any(int.from_bytes(headers[i * size : i * size + 4], "little") == _PT_INTERP for i in range(count))


_PT_INTERP = 3
