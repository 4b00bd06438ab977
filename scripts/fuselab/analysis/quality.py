"""What is asked of every stack, whichever tool took it: is it whole, and are its frames named?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuselab.analysis.symbols.elf import debug_file, read_image
from fuselab.errors import NotElfError, ProfileError

_ROOTS = re.compile(
    r"^(?:_start|main|__libc_start_call_main|__libc_start_main\S*|_*clone3?|start_thread|thread_native_entry"
    r"|(?:.*::)?thread_start|runtime\.(?:goexit|rt0_go|mstart|morestack|mcall)\S*|ret_from_fork\S*"
    r"|_dl_start\S*|_dl_init)$"
)

WHOLE_ENOUGH = 0.8
"""Below this share of whole stacks a flamegraph is *limited*: its bottom is not what called its top."""
NAMED_ENOUGH = 0.8
NAMED_AT_ALL = 0.02
READABLE_AT_ALL = 0.1
"""Below this share of named frames, and below this share of stacks with any name in them (the kernel's, say), there is
nothing to read in a flamegraph: it is refused."""
FRAME_POINTERS = (
    "Code that was built without frame pointers cuts stacks short: build with -fno-omit-frame-pointer (C, C++) or "
    "-C force-frame-pointers=yes (Rust; `build: cargo` has it, and so has Go)."
)
UNWIND_TABLES = (
    "jemalloc walks by unwind tables, 128 frames at most: build with -fasynchronous-unwind-tables."
)
DEBUG_INFORMATION = "with debug information (-g; for cargo `debug = limited`)"
_WORTH_NAMING = 0.05
"""A module with a smaller share of the frames is not spoken of."""
_MOST_NAMED = 3
_PACKAGED = re.compile(r"^/(?:usr/(?!local/)|lib|bin/|sbin/)")
_LIBRARY = re.compile(r"\.so(?:\.|$)")
_NO_FILE = re.compile(r"^(?:$|[^/]|//|/memfd:|/dev/)")


@dataclass(frozen=True)
class Quality:
    """How far the stacks of a profile can be trusted; shares are of the profile's total value."""

    whole_stack_share: float
    """Stacks that reach the start of their thread (`_start`, `clone`, `start_thread`, `main`, ...)."""
    named_frame_share: float
    """Frames of the program and its libraries that carry a function's name."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Modules without usable symbols -> why."""
    nameless_root_share: float = 0.0
    """Stacks whose outermost frame has no name: whether they are whole cannot be told."""
    nameless: Mapping[str, float] = field(default_factory=dict)
    """Files whose functions have no names -> their share of the frames of the program and its libraries."""

    def limits(self, whole: str = FRAME_POINTERS) -> tuple[str, ...]:
        """Sentences for the report where something is missing; nothing if all is well.

        `whole` says what would keep stacks whole: it depends on who walked them.
        """
        notes: list[str] = []
        if self.whole_stack_share < WHOLE_ENOUGH:
            notes.append(f"{self._how_many_are_whole()} {whole}")
        if self.named_frame_share < NAMED_ENOUGH:
            notes.append(
                f"Only {self.named_frame_share:.0%} of the frames of the program and its libraries have a name."
                f"{self._where_names_are_missing()}"
            )
        return (*notes, *(f"No names from {module}: {why}." for module, why in sorted(self.problems.items())))

    def _how_many_are_whole(self) -> str:
        said = f"Only {self.whole_stack_share:.0%} of the stacks are whole for sure"
        if self.nameless_root_share < _WORTH_NAMING:
            return f"{said}."
        return f"{said}; {self.nameless_root_share:.0%} begin with a frame without a name, and may be."

    def _where_names_are_missing(self) -> str:
        largest = sorted(self.nameless.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NAMED]
        worth = {module: share for module, share in largest if share >= _WORTH_NAMING}
        packaged = [
            Path(module).name for module in worth if _PACKAGED.match(module) and not _explained(module)
        ]
        said = ""
        if worth:
            kinds = {module: "library" if _LIBRARY.search(module) else "program" for module in worth}
            parts = (
                f"the {kinds[m]} {Path(m).name} ({share:.0%} of the frames)" for m, share in worth.items()
            )
            said += f" Without names: {', '.join(parts)}."
        if packaged:
            said += f" Its package's debug symbols (Debian: -dbgsym) would name {', '.join(packaged)}."
        if not worth or any(not (_LIBRARY.search(module) and _PACKAGED.match(module)) for module in worth):
            said += f" For names of your own code build {DEBUG_INFORMATION}, and do not strip the binary."
        return said


def _explained(module: str) -> bool:
    """Whether its debug symbols are installed, and still do not name it."""
    try:
        return debug_file(read_image(Path(module)).build_id) is not None
    except (OSError, NotElfError):
        return False


@dataclass(frozen=True, slots=True)
class NamedStack:
    """A stack with names."""

    functions: tuple[str, ...]
    """Root first, inlined ones included."""
    named: int
    """Frames that have a function's name, of `frames` in all; inlined ones and the kernel's are not counted here."""
    frames: int
    named_in_kernel: int = 0
    nameless: tuple[str, ...] = ()
    """Files of the frames without a name."""


def grade(weighted: Iterable[tuple[NamedStack, int]], problems: Mapping[str, str]) -> Quality:
    """Quality of a profile of (stack, value) items.

    Raises ProfileError where there are values but no stack has a frame, or next to no frame has a name: a picture of
    addresses says nothing.
    """
    total = whole = nameless_root = frames_named = frames_all = readable = functions = 0
    nameless: Counter[str] = Counter()
    for stack, value in weighted:
        total += value
        functions += len(stack.functions)
        if is_whole(stack.functions):
            whole += value
        elif stack.functions and _NAMELESS.match(stack.functions[0]):
            nameless_root += value
        frames_named += stack.named * value
        frames_all += stack.frames * value
        readable += value if stack.named or stack.named_in_kernel else 0
        for module in stack.nameless:
            nameless[module] += value
    named_share = frames_named / frames_all if frames_all else float(functions > 0)
    if total and not functions:
        raise ProfileError(
            "No stack has a frame: call chains were not recorded.",
            "fuselab asks perf for them in every capture: its log beside the capture says what perf made of it.",
        )
    if total and named_share < NAMED_AT_ALL and readable < READABLE_AT_ALL * total:
        why = "; ".join(f"{module}: {reason}" for module, reason in sorted(problems.items()))
        raise ProfileError(
            f"Only {named_share:.1%} of the frames have a name{f' ({why})' if why else ''}, and only "
            f"{readable / total:.0%} of the stacks have any.",
            f"Build {DEBUG_INFORMATION}, do not strip the binary, and keep it where it was captured.",
        )
    return Quality(
        whole_stack_share=whole / total if total else 0.0,
        named_frame_share=named_share,
        problems=dict(problems),
        nameless_root_share=nameless_root / total if total else 0.0,
        nameless={
            module: part / frames_all for module, part in nameless.items() if not _NO_FILE.match(module)
        },
    )


_NAMELESS = re.compile(r"^\[(?!unknown\])")
"""What stands for a function of a known file: an address outside all files is where a walk went astray."""


def is_whole(stack: tuple[str, ...]) -> bool:
    """Whether a stack, root first and without a thread's name, reaches the start of its thread.

    The unwinder may add a frame or two of noise below the true root (glibc is built without frame pointers),
    so the three outermost frames are looked at.
    """
    return any(_ROOTS.match(name.removesuffix("_[k]")) for name in stack[:3])
