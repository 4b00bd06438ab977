"""A run that stands still is ended soon, with what can be seen of it; a slow one is not. plainfs hangs on request."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest

from fuselab.records.request import Load

pytestmark = pytest.mark.mount

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="fusectl and kernel stacks are root's")


def fio(**options: str) -> Load:
    jobs = {"job": {"rw": "write", "bs": "16k", "size": "8m", "ramp_time": "0", **options}}
    return Load("fio", "w", {"jobs": jobs, "global": {}}, timeout_s=90.0)


def served(plainfs, *knobs: str) -> tuple[str, ...]:
    return (str(plainfs), "{state}", *knobs, "-f", "{mountpoint}")


@needs_root
@pytest.mark.parametrize(
    ("knob", "load", "call"),
    [
        ("--hang-at=40", fio(), "pwrite64 (fuse_"),
        ("--hang-reads=3", fio(rw="randread", direct="1"), "pread64 (fuse_"),
    ],
)
def test_a_hang_ends_the_run_and_shows_who_waits_where(rig, plainfs, knob, load, call):
    begun = time.monotonic()
    record, out = rig.run(argv=served(plainfs, knob), load=load, hang_s=2.0)
    assert time.monotonic() - begun < 60, "the load would have waited 90 s and more"
    assert (record.status, record.fault) == ("failed", "hung")
    first = (record.reason or "").splitlines()[0]
    assert first.startswith("hung: no progress for ")
    assert "1 request in flight" in first
    assert call in first
    seen = json.loads((out / "hang.json").read_text())
    assert any(thread["fuse"] in thread["stack"] for thread in seen["load"])
    target = [thread for thread in seen["target"] if thread["process"] == "plainfs"]
    assert "pause" in {thread["call"] for thread in target}, "where plainfs was told to hang"
    assert {thread["state"] for thread in target} == {"S"}
    assert seen["still_s"] >= 2.0
    assert "hang.json" in {file.path for file in record.files}


def test_a_slow_filesystem_has_not_hung(rig, plainfs):
    """Each write sleeps longer than may pass without progress in this test, and the load does nothing else."""
    slow = fio(bs="4k", size="16k", direct="1")
    record, out = rig.run(argv=served(plainfs, "--sleep-us=1200000"), load=slow, hang_s=1.5)
    assert record.status == "ok", record.reason
    assert not (out / "hang.json").exists()


@needs_root
def test_a_preparation_that_hangs_is_ended_too(rig, plainfs):
    load = replace(fio(), prepare=(("sh", "-c", "dd if=/dev/zero of=x bs=4k count=99"),))
    record, _ = rig.run(argv=served(plainfs, "--hang-at=40"), load=load, hang_s=2.0)
    assert (record.status, record.fault) == ("failed", "hung")


@needs_root
def test_a_verifying_run_that_hangs_is_ended_too(rig, plainfs):
    load = Load("fio", "verify", {})
    record, _ = rig.run(argv=served(plainfs, "--hang-at=40"), load=load, hang_s=2.0, purpose="verify")
    assert (record.status, record.fault) == ("failed", "hung")


def test_wrong_data_is_a_kind_of_failure_of_its_own(rig, plainfs):
    load = Load("fio", "verify", {})
    record, _ = rig.run(argv=served(plainfs, "--corrupt-every=100"), load=load, purpose="verify")
    assert (record.status, record.fault) == ("failed", "wrong data")
    record, _ = rig.run(argv=served(plainfs, "--fail-every=100"), load=load, purpose="verify")
    assert (record.status, record.fault) == ("failed", "died or refused")
