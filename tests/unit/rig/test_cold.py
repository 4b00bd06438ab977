"""A run that counts does without cold caches where they could hold nothing that it will read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.records.request import Load, MountConfig, RunRequest
from fuselab.rig.worker import is_new
from fuselab.targets.model import Stopping


@pytest.fixture
def counting(tmp_path: Path) -> RunRequest:
    mount = MountConfig(
        variant="v", target="t", build=None, binary="bin", argv=("bin", "{mountpoint}"), env=(), files=(), prepare=(),
        ready_timeout_s=1, stop=Stopping(), backend="", persists=False, profilers=(),
    )  # fmt: skip
    load = Load("fio", "w", {"jobs": {"job": {"rw": "write", "size": "1m"}}, "global": {}})
    return RunRequest("work", "e", mount, load, str(tmp_path), str(tmp_path), str(tmp_path))


def test_what_the_run_makes_itself_was_in_no_cache(counting: RunRequest) -> None:
    assert is_new(counting)


def test_what_is_prepared_is_read_from_the_disk(counting: RunRequest) -> None:
    steps = (("mkfs", "{state}"),)
    assert not is_new(replace(counting, load=replace(counting.load, prepare=steps)))
    assert not is_new(replace(counting, mount=replace(counting.mount, prepare=steps)))
    reads = {"jobs": {"job": {"rw": "randrw", "size": "1m"}}, "global": {}}
    assert not is_new(replace(counting, load=replace(counting.load, settings=reads))), "fio lays that out"


def test_a_run_that_is_timed_is_as_cold_as_it_was_asked_to_be(counting: RunRequest) -> None:
    assert not is_new(replace(counting, purpose="timed"))
