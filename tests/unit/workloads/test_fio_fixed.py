"""A load whose work is counted ends when its work is done, and does little of it: the same for whoever is slower."""

from __future__ import annotations

import pytest

from fuselab.workloads import REGISTRY
from fuselab.workloads.base import Fixed
from fuselab.workloads.fio.fixed import MOST_BYTES, MOST_IOS, fixed


def load(**options: str) -> Fixed:
    return fixed({"jobs": {"job": options}, "global": {}})


def job(found: Fixed) -> dict[str, str]:
    return dict(found.settings["jobs"]["job"])


def test_a_runtime_becomes_a_number_of_operations() -> None:
    found = load(rw="randwrite", bs="4k", size="64m", runtime="3s", iodepth="8", ioengine="libaio")
    assert job(found) == {
        "rw": "randwrite", "bs": "4k", "size": "64m", "iodepth": "8", "ioengine": "libaio",
        "io_size": str(4096 * MOST_IOS),
    }  # fmt: skip
    assert found.words == "1,000 I/Os of 4k instead of 3 s"


def test_large_blocks_are_fewer() -> None:
    found = load(rw="write", bs="4m", size="1g", runtime="10s")
    assert job(found)["io_size"] == str(MOST_BYTES)
    assert found.words == "8 I/Os of 4m instead of 10 s"


def test_rates_do_not_hold_it_up() -> None:
    rates = {
        "rate_iops": "100",
        "rate_process": "poisson",
        "rate": "1m",
        "ramp_time": "2s",
        "time_based": "1",
    }
    assert job(load(rw="read", bs="4k", size="1m", runtime="3s", **rates)) == {
        "rw": "read", "bs": "4k", "size": "1m", "io_size": str(4096 * MOST_IOS),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "ios"),
    [("fsync", "1", 100), ("fdatasync", "4", 400), ("fsync", "50", 1000), ("sync", "dsync", 100)],
)
def test_what_is_synced_is_less(option: str, value: str, ios: int) -> None:
    found = load(rw="write", bs="4k", size="64m", runtime="3s", **{option: value})
    assert job(found)["io_size"] == str(4096 * ios)


def test_who_syncs_does_as_much_as_those_that_it_is_held_against() -> None:
    jobs = {"rw": "write", "bs": "4k", "size": "64m", "runtime": "3s"}
    both = [{"jobs": {"job": {**jobs, **own}}, "global": {}} for own in ({}, {"fsync": "1"})]
    for settings in both:
        assert job(fixed(settings, both))["io_size"] == str(4096 * 100)


@pytest.mark.parametrize("options", [{"size": "4m"}, {"size": "1g", "io_size": "4m"}])
def test_what_is_short_is_taken_as_it_is(options: dict[str, str]) -> None:
    found = load(rw="write", bs="128k", **options)
    assert job(found) == {"rw": "write", "bs": "128k", **options}
    assert found.words == ""


def test_what_is_bounded_and_long_is_cut() -> None:
    found = load(rw="write", bs="128k", size="4g")
    assert job(found)["io_size"] == str(MOST_BYTES)
    assert found.words == "256 I/Os of 128k instead of 4g"


def test_all_jobs_and_their_clones_share_the_bound() -> None:
    shared = {"bs": "4k", "size": "8m", "runtime": "1s"}
    found = fixed({"jobs": {"a": {"rw": "read", "numjobs": "3"}, "b": {"rw": "write"}}, "global": shared})
    assert found.settings["global"] == {"bs": "4k", "size": "8m"}
    assert {own["io_size"] for own in found.settings["jobs"].values()} == {str(4096 * MOST_IOS // 4)}
    assert found.words == "a: 250 I/Os of 4k by each of 3 instead of 1 s; b: 250 I/Os of 4k instead of 1 s"


def test_a_command_is_taken_as_it_is_and_a_bench_has_no_mount() -> None:
    settings = {"argv": ("tar", "xf", "a.tar"), "expect_exit": 0}
    assert REGISTRY["command"].fixed(settings) == Fixed(settings, None)
    assert not REGISTRY["criterion"].needs_mount


def test_metadata_is_done_to_fewer_files() -> None:
    settings = {
        "operations": ("create",),
        "files": 2000,
        "folders": 1,
        "size": 4096,
        "threads": 1,
        "listings": 20,
    }
    found = REGISTRY["metadata"].fixed(settings)
    assert found is not None
    assert found.settings["files"] == 200
    assert found.words == "200 files instead of 2000"
