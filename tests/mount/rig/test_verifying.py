"""A variant is verified by more than checksums where it is asked for: a POSIX suite and random operations."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mount.rig.conftest import BINDFS, Rig

from fuselab.programs import tool_path
from fuselab.records.request import Load
from fuselab.workloads.verifying import VERIFIERS

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(
        not all(tool_path(v.program.name) for v in VERIFIERS.values() if v.program),
        reason="type `make setup-verify` first",
    ),
]
KNOWN = (
    "link::*",
    "rename::preserve_metadata::*",
    "rename::to_multiply_linked::*",
    "unlink::*ctime_success::*",
    "utimensat::utime_omit",
)
"""What bindfs fails of the suite: it caches attributes by name, and a file may have two."""


def verified(rig: Rig, way: str, *known: str, **changes):
    load = Load("fio", "verify", {"ways": (way,), "known_failures": known})
    return rig.run(purpose="verify", load=load, argv=BINDFS, **changes)


def test_a_new_failure_is_named_and_a_known_one_is_none(rig: Rig) -> None:
    known, unknown = KNOWN[1:], KNOWN[0].replace("*", "")
    record, _ = verified(rig, "posix", *known)
    assert record.status == "failed"
    assert record.reason is not None
    first, *lines = record.reason.splitlines()
    assert first.startswith("the POSIX suite: ") or "cases of the POSIX suite fail" in first, first
    assert f"`{unknown}" in first
    assert "`rename::" not in first
    assert "known_failures: [link::" in lines[-1]
    record, out = verified(rig, "posix", *KNOWN)
    assert record.status == "ok", record.reason
    assert "passed" in VERIFIERS["posix"].found(out)


def test_random_operations_find_a_byte_that_is_stored_wrong(rig: Rig, plainfs: Path) -> None:
    def run(*knobs: str):
        load = Load("fio", "verify", {"ways": ("random",), "known_failures": ()})
        argv = (str(plainfs), "{state}", *knobs, "{mountpoint}", "-f")
        return rig.run(purpose="verify", argv=argv, binary=str(plainfs), load=load)[0]

    assert run().status == "ok"
    wrong = run("--corrupt-every=50")
    assert (wrong.status, wrong.fault) == ("failed", "wrong data")
    assert "random operations, a read found what was not written" in (wrong.reason or "")
