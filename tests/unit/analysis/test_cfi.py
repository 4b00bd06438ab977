"""Callers are found by call frame information where no frame pointer leads to them."""

import struct

from fuselab.analysis.cfi import CallFrames, Rule, walk

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


def test_the_caller_of_a_leaf_without_a_frame_is_at_its_stack_pointer() -> None:
    found = walk(LEAF, SP, BP, stack(w0=OWNER), CallFrames(TEXT).rule_at)
    assert (found.addresses, found.meets) == ((OWNER,), True)


def test_a_function_with_a_frame_pointer_needs_no_help() -> None:
    assert walk(OWNER, SP, BP, stack(w0=LEAF), CallFrames(TEXT).rule_at).addresses == ()


def test_a_frame_pointer_used_for_something_else_does_not_meet() -> None:
    # CLOBBERS has saved its caller's rbp 16 below its frame, and keeps a number in it.
    saved = stack(w40=OWNER, w32=BP)
    found = walk(CLOBBERS, SP, 42, saved, CallFrames(TEXT).rule_at)
    assert (found.addresses, found.meets) == ((OWNER,), False)
    assert walk(CLOBBERS, SP, BP, saved, CallFrames(TEXT).rule_at).meets


def test_the_walk_ends_where_the_copied_stack_ends() -> None:
    assert walk(CLOBBERS, SP, BP, stack()[:40], CallFrames(TEXT).rule_at).addresses == ()
    assert walk(LEAF, SP, BP, b"", CallFrames(TEXT).rule_at).addresses == ()


def test_an_endless_chain_ends() -> None:
    looping = stack(**{f"w{8 * i}": LEAF for i in range(16)})
    assert len(walk(LEAF, SP, BP, looping, CallFrames(TEXT).rule_at).addresses) == 16
