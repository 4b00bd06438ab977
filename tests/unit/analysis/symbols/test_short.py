"""Whose a frame of a stack is."""

from __future__ import annotations

from fuselab.analysis.account.in_flight import AWAITING, BLOCKED, ON_CPU, PREEMPTED
from fuselab.analysis.fuse.tables import IN_FLIGHT, QUEUED, SERVED
from fuselab.analysis.symbols.short import OWN, SAID, Owners


def test_what_becomes_of_a_request_is_nobodys_library() -> None:
    assert {QUEUED, SERVED, IN_FLIGHT, ON_CPU, BLOCKED, PREEMPTED, AWAITING} == SAID
    owners = Owners(["demofs::file::write", "core::ptr::drop_in_place", *SAID], ["demofs"])
    assert {owners.of(name) for name in SAID} == {OWN}
    assert owners.of("[libc.so.6]") == "libc.so.6"
