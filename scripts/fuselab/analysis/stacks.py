"""What is asked of every stack, whichever tool took it: is it whole, and are its frames named?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fuselab.analysis.refusal import Refusal

Stacks = dict[tuple[str, ...], int]
"""Root first -> value, in ns or bytes."""

_ROOTS = re.compile(
    r"^(?:_start|main|__libc_start_call_main|__libc_start_main\S*|_*clone3?|start_thread|thread_native_entry"
    r"|(?:.*::)?thread_start|runtime\.(?:goexit|rt0_go|mstart|morestack)\S*|ret_from_fork\S*)$"
)
_DIGITS = re.compile(r"[-_:#/ ]*\d+$")

WHOLE_ENOUGH = 0.8
"""Below this share of whole stacks a flamegraph is *limited*: its bottom is not what called its top."""
NAMED_ENOUGH = 0.8
NAMED_AT_ALL = 0.02
"""Below this share of named frames there is nothing to read in a flamegraph: it is refused."""


@dataclass(frozen=True)
class Quality:
    """How far the stacks of a profile can be trusted; shares are of the profile's total value."""

    whole_stack_share: float
    """Stacks that reach the start of their thread (`_start`, `clone`, `start_thread`, `main`, ...)."""
    named_frame_share: float
    """Frames of the program and its libraries that carry a function's name."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Modules without usable symbols -> why."""

    def limits(self) -> tuple[str, ...]:
        """Sentences for the report where something is missing; nothing if all is well."""
        notes: list[str] = []
        if self.whole_stack_share < WHOLE_ENOUGH:
            notes.append(
                f"Only {self.whole_stack_share:.0%} of the stacks are whole: the program or its libraries "
                "were built "
                "without frame pointers. Build with -C force-frame-pointers=yes (-fno-omit-frame-pointer "
                "in C), or "
                "record with call_graph: dwarf."
            )
        if self.named_frame_share < NAMED_ENOUGH:
            notes.append(
                f"Only {self.named_frame_share:.0%} of the frames have a name: build with debug = limited, "
                "and do "
                "not strip the binary."
            )
        return (*notes, *(f"No names from {module}: {why}." for module, why in sorted(self.problems.items())))


@dataclass(frozen=True, slots=True)
class NamedStack:
    """A stack with names."""

    functions: tuple[str, ...]
    """Root first, inlined ones included."""
    named: int
    """Frames that have a function's name, of `frames` in all; inlined ones and the kernel's are not counted."""
    frames: int


def grade(weighted: Iterable[tuple[NamedStack, int]], problems: Mapping[str, str]) -> Quality:
    """Quality of a profile of (stack, value) items.

    Raises Refusal where there are values but no stack has a frame, or next to no frame has a name: a picture of
    addresses says nothing.
    """
    total = whole = frames_named = frames_all = functions = 0
    for stack, value in weighted:
        total += value
        functions += len(stack.functions)
        whole += value if is_whole(stack.functions) else 0
        frames_named += stack.named * value
        frames_all += stack.frames * value
    named_share = frames_named / frames_all if frames_all else float(functions > 0)
    if total and not functions:
        raise Refusal(
            "No stack has a frame: call chains were not recorded.",
            "Record with --call-graph fp (or dwarf), and build with -C force-frame-pointers=yes.",
        )
    if total and named_share < NAMED_AT_ALL:
        why = "; ".join(f"{module}: {reason}" for module, reason in sorted(problems.items()))
        raise Refusal(
            f"Only {named_share:.1%} of the frames have a name{f' ({why})' if why else ''}.",
            "Build with debug = limited, do not strip the binary, and keep it where it was captured.",
        )
    return Quality(
        whole_stack_share=whole / total if total else 0.0,
        named_frame_share=named_share,
        problems=dict(problems),
    )


def is_whole(stack: tuple[str, ...]) -> bool:
    """Whether a stack, root first and without a thread's name, reaches the start of its thread.

    The unwinder may add a frame or two of noise below the true root (glibc is built without frame pointers),
    so the three outermost frames are looked at.
    """
    return any(_ROOTS.match(name.removesuffix("_[k]")) for name in stack[:3])


def thread_frame(comm: str) -> str:
    """The frame that stands for a thread: its name without a running number, so that pools fold together."""
    return _DIGITS.sub("", comm).replace(";", ",") or comm or "[thread]"
