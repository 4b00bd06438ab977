"""Whose a frame of a stack is."""

from __future__ import annotations

from fuselab.analysis.request_frames import (
    ALL,
    AWAITING,
    BLOCKED,
    IN_FLIGHT,
    ON_CPU,
    PREEMPTED,
    QUEUED,
    SERVED,
)
from fuselab.analysis.symbols.short import OWN, Owners


def test_what_becomes_of_a_request_is_nobodys_library() -> None:
    assert {QUEUED, SERVED, IN_FLIGHT, ON_CPU, BLOCKED, PREEMPTED, AWAITING} == ALL
    owners = Owners(["demofs::file::write", "core::ptr::drop_in_place", *ALL], ["demofs"])
    assert {owners.of(name) for name in ALL} == {OWN}
    assert owners.of("[libc.so.6]") == "libc.so.6"
