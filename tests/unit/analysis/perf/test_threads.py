"""Names of threads by time, over records in an order in which each CPU's buffer may be emptied."""

from __future__ import annotations

import struct

from fuselab.analysis.perf.data import COMM, FORK, TIME, PerfData
from fuselab.analysis.perf.threads import ThreadNames, thread_names

SAMPLE_ID_ALL = 1 << 18
ATTRIBUTES = struct.pack("<24xQ8xQ", TIME, SAMPLE_ID_ALL)


def named(time_ns: int, tid: int, name: str) -> bytes:
    return _record(COMM, struct.pack("<II16s", tid, tid, name.encode()), time_ns)


def forked(time_ns: int, tid: int, parent: int) -> bytes:
    return _record(FORK, struct.pack("<IIIIQ", tid, parent, tid, parent, time_ns), time_ns)


def _record(kind: int, body: bytes, time_ns: int) -> bytes:
    return struct.pack("<IHH", kind, 0, 8 + len(body) + 8) + body + struct.pack("<Q", time_ns)


def names(*records: bytes) -> ThreadNames:
    content = ATTRIBUTES + b"".join(records)
    return thread_names(PerfData(content, (0,), len(ATTRIBUTES), len(ATTRIBUTES), len(content)))


def test_a_program_that_became_another_on_another_cpu_has_each_name_in_its_time() -> None:
    """The later name stands first in the file: the shell's buffer was emptied after that of the CPU it went to."""
    found = names(named(30, 7, "chores"), named(10, 7, "sh"))
    assert [found.at(7, at) for at in (10, 29, 30, 99)] == ["sh", "sh", "chores", "chores"]


def test_a_child_is_called_as_its_parent_until_it_has_a_name_of_its_own() -> None:
    found = names(named(0, 7, "python"), named(10, 7, "sh"), forked(20, 8, 7), named(30, 8, "dd"))
    assert [found.at(8, at) for at in (20, 29, 30)] == ["sh", "sh", "dd"]
    assert found.at(7, 30) == "sh"


def test_a_number_that_is_given_again_does_not_keep_the_name_of_who_had_it() -> None:
    found = names(named(0, 7, "sh"), named(5, 8, "dd"), forked(20, 8, 7))
    assert (found.at(8, 10), found.at(8, 20)) == ("dd", "sh")


def test_forks_of_what_was_there_already_name_nobody() -> None:
    found = names(named(0, 7, "sh"), named(0, 8, "worker"), forked(0, 8, 7))
    assert found.at(8, 1) == "worker"


def test_what_the_recording_says_nothing_of_has_no_name() -> None:
    assert names(named(5, 7, "sh")).at(9, 6) == "?"
    assert names(named(5, 7, "sh")).at(7, 1) == "sh", "its first call may be a moment before its name"
