"""What a profiler can do for a target, judged from its target.yaml before anything is built."""

from __future__ import annotations

import shutil
from pathlib import Path

from fuselab.profilers.base import Capability
from fuselab.targets.model import Installed, NoBuild, Target

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
    """For profilers that come in by LD_PRELOAD: the program must be linked dynamically, and allocate with malloc."""
    known = native(profiler, target)
    if known.level == "unavailable" or not isinstance(target.build, Installed):
        return known
    path = shutil.which(target.build.binary)
    obstacle = no_preload(Path(path)) if path is not None else None
    if obstacle:
        return Capability("unavailable", f"{target.build.binary} {obstacle}")
    return Capability(
        "limited", "malloc is replaced by jemalloc for the capture (LD_PRELOAD): not the heap that was timed"
    )


def no_preload(program: Path) -> str | None:
    """Why LD_PRELOAD gives `program` no other malloc; None where it does. Scripts are what they start: unknown here."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    with program.open("rb") as file:
        try:
            elf = ELFFile(file)
        except ELFError:
            return None
        if any(elf.get_section_by_name(name) for name in _GO):
            return _GO_HEAP
        if not any(segment["p_type"] == "PT_INTERP" for segment in elf.iter_segments()):
            return "is statically linked: LD_PRELOAD cannot give it another malloc"
    return None


_GO_HEAP = (
    "is a Go program: its runtime has an allocator of its own, which LD_PRELOAD does not replace, and samples it by "
    'itself: let the program write that at its exit (pprof.Lookup("heap") of runtime/pprof) or serve it '
    "(net/http/pprof), and read it with `go tool pprof -sample_index=inuse_space`"
)
_GO = (".go.buildinfo", ".note.go.buildid", ".gopclntab")
"""Sections that Go's linker writes; the last stays in a stripped program."""
