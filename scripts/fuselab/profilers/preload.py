"""Whether a program takes what LD_PRELOAD gives it instead of its malloc."""

from __future__ import annotations

from pathlib import Path

_GO_HEAP = (
    "is a Go program: its runtime has an allocator of its own, which LD_PRELOAD does not replace, and samples it by "
    'itself: let the program write that at its exit (pprof.Lookup("heap") of runtime/pprof) or serve it '
    "(net/http/pprof), and read it with `go tool pprof -sample_index=inuse_space`"
)
_GO = (".go.buildinfo", ".note.go.buildid", ".gopclntab")
"""Sections that Go's linker writes; the last stays in a stripped program."""


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
