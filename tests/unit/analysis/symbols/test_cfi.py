"""Callers are found by call frame information, where frame pointers lead to them and where they do not."""

import re
import struct
import subprocess
from pathlib import Path

from fuselab.analysis.symbols.cfi import CallFrames, Rule, read_call_frames, walk
from fuselab.analysis.symbols.elf import read_image

TEXT = b"""STACK CFI INIT 1000 40 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI 1001 .cfa: $rsp 16 + $rbp: .cfa -16 + ^
STACK CFI 1004 .cfa: $rbp 16 +
STACK CFI INIT 500 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI INIT 600 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^
STACK CFI 602 .cfa: $rsp 48 + $rbp: .cfa -16 + ^
"""
OWNER, LEAF, CLOBBERS = 0x1010, 0x505, 0x610
SP, BP = 0x7000, 0x7100


def stack(**words: int) -> bytes:
    """128 bytes from SP; keys are offsets such as w8."""
    content = bytearray(128)
    for name, value in words.items():
        struct.pack_into("<Q", content, int(name[1:]), value)
    return bytes(content)


def test_rules_follow_the_instructions() -> None:
    frames = CallFrames(TEXT)
    assert frames.rule_at(0x1000) == Rule("rsp", 8, None)
    assert frames.rule_at(0x1002) == Rule("rsp", 16, -16)
    assert frames.rule_at(0x1030) == Rule("rbp", 16, -16)
    assert frames.rule_at(0x1040) is None
    assert frames.rule_at(0x4FF) is None
    assert CallFrames(b"").rule_at(0x1000) is None


def test_a_function_that_nobody_called_has_no_rule() -> None:
    """`_start` by its first line, the function of a new thread from where its stack is a new one."""
    frames = CallFrames(
        b"STACK CFI INIT 100 20 .cfa: $rsp 8 +\nSTACK CFI INIT 200 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n"
        b"STACK CFI 210 .ra: \n"
    )
    assert frames.rule_at(0x105) is None
    assert frames.rule_at(0x205) == Rule("rsp", 8, None)
    assert frames.rule_at(0x215) is None


def test_the_caller_of_a_leaf_without_a_frame_is_at_its_stack_pointer() -> None:
    found = walk(LEAF, SP, BP, stack(w0=OWNER), CallFrames(TEXT).rule_at)
    assert (found.addresses, found.passed) == ((OWNER,), 0)


def test_a_function_with_a_frame_pointer_is_passed_with_it() -> None:
    """The walk takes the frame pointer's way, and counts what it has in common with one along frame pointers."""
    saved = stack(w32=SP + 96, w40=OWNER, w96=0x9000, w104=OWNER)
    found = walk(OWNER, SP, SP + 32, saved, CallFrames(TEXT).rule_at)
    assert (found.addresses, found.passed) == ((OWNER, OWNER), 2)


def test_the_caller_of_a_caller_without_a_frame_is_found_too() -> None:
    """The kernel's clock keeps a frame pointer, glibc calls it without: who asks for the time is behind both."""
    saved = stack(w32=SP + 96, w40=LEAF, w48=OWNER, w96=0x9000, w104=LEAF)
    found = walk(OWNER, SP, SP + 32, saved, CallFrames(TEXT).rule_at)
    assert found.addresses[:3] == (LEAF, OWNER, LEAF)
    # Frame pointers lead to the first and the third.
    assert found.passed == 2


def test_what_was_taken_back_from_the_stack_is_in_its_register() -> None:
    """A return address behind `pop rbp`: where rbp was kept lies below the stack pointer, and is not copied."""
    frames = CallFrames(TEXT + b"STACK CFI INIT 700 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^ $rbp: .cfa -16 + ^\n")
    found = walk(0x710, SP, BP, stack(w0=OWNER), frames.rule_at)
    assert (found.addresses, found.passed) == ((OWNER,), 0)


def test_a_frame_pointer_used_for_something_else_does_not_meet() -> None:
    # CLOBBERS has saved its caller's rbp 16 below its frame, and keeps a number in it.
    saved = stack(w40=OWNER, w32=BP)
    found = walk(CLOBBERS, SP, 42, saved, CallFrames(TEXT).rule_at)
    assert (found.addresses, found.passed) == ((OWNER,), None)
    assert walk(CLOBBERS, SP, BP, saved, CallFrames(TEXT).rule_at).passed == 0


def test_the_walk_ends_where_the_copied_stack_ends() -> None:
    assert walk(CLOBBERS, SP, BP, stack()[:40], CallFrames(TEXT).rule_at).addresses == ()
    assert walk(LEAF, SP, BP, b"", CallFrames(TEXT).rule_at).addresses == ()


def test_an_endless_chain_ends() -> None:
    looping = stack(**{f"w{8 * i}": LEAF for i in range(16)})
    assert len(walk(LEAF, SP, BP, looping, CallFrames(TEXT).rule_at).addresses) == 16


def test_jumps_into_libraries_have_their_own_rule(tmp_path: Path) -> None:
    """Where .plt is, readelf says; what is on the stack there, the instructions do: `jmp`, `push`, `jmp`."""
    (tmp_path / "calls.c").write_text(
        "#include <stdio.h>\nint main(int n, char **v) { return puts(v[n - 1]); }\n"
    )
    source, binary = str(tmp_path / "calls.c"), str(tmp_path / "calls")
    subprocess.run(["gcc", "-O1", "-fcf-protection=none", "-Wl,-z,lazy", source, "-o", binary], check=True)
    said = subprocess.run(
        ["readelf", "-SW", tmp_path / "calls"], capture_output=True, text=True, check=True
    ).stdout
    (start,) = (int(found, 16) for found in re.findall(r" \.plt +PROGBITS +([0-9a-f]+)", said))
    frames = read_call_frames(read_image(tmp_path / "calls"), tmp_path)
    at = [frames.rule_at(start + into) for into in (0, 6, 16, 22, 27)]
    # The first entry is entered with two words on the stack: where to go back to, and which function is wanted.
    assert at == [Rule("rsp", size, None) for size in (16, 24, 8, 8, 16)]
