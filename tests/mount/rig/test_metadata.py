"""Loads of metadata on real mounts, held against what others count: strace, the filesystem's own delay, fio."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from fuselab.records.request import Load
from fuselab.workloads import REGISTRY
from fuselab.workloads.metadata.quantities import ORDER, done
from fuselab.workloads.metric import Metric

pytestmark = pytest.mark.mount

KIND = REGISTRY["metadata"]
FILES = 300


def load(*operations: str, cache: Literal["cold", "warm"] = "cold", **numbers: int) -> Load:
    settings = {
        "operations": done(operations or ORDER),
        "files": FILES,
        "folders": 3,
        "size": 4096,
        "threads": 2,
    }
    return Load("metadata", "meta", {**settings, "listings": 10, **numbers}, randseed=7, cache=cache)


def measured(rig, **changes: Any) -> tuple[dict[str, Metric], Path]:
    record, out = rig.run(**changes)
    assert record.status == "ok", record.reason
    return {metric.name: metric for metric in KIND.metrics(out)}, out


def plain(plainfs: Path, *knobs: str) -> tuple[str, ...]:
    return (str(plainfs), "{state}", *knobs, "-f", "{mountpoint}")


def test_each_operation_is_timed_on_a_mount_and_what_was_promised_is_there(rig):
    found, out = measured(rig, load=load())
    assert set(found) == set(KIND.metric_names(load().settings))
    for operation in ORDER[:-1]:
        phase = next(
            p for p in json.loads((out / "metadata.json").read_text()) if p["operation"] == operation
        )
        count = 30 if operation == "readdir" else FILES
        assert phase["operations"] == count
        rate = found[f"metadata.{operation}.rate"].value
        assert rate == pytest.approx(count / phase["seconds"])
        assert rate <= 2e9 / phase["latency_mean_ns"] * 1.05, (
            "two threads do no more than twice what one does"
        )
    assert found["metadata.stat.p99"].tail_ios == 3
    assert KIND.traffic(out).operations == 8 * FILES + 30
    assert KIND.traffic(out).bytes == 3 * FILES * 4096


def test_the_filesystem_is_asked_for_as_many_operations_as_are_told(rig, plainfs):
    timed = load(*ORDER[:-1])
    _, out = measured(rig, argv=(*plain(plainfs), "-d"), load=timed)
    asked = Counter(re.findall(r"opcode: (\w+)", (out / "target.log").read_text()))
    renamed = asked["RENAME"] + asked["RENAME2"]
    assert (asked["CREATE"], renamed, asked["UNLINK"], asked["WRITE"]) == (FILES, FILES, FILES, FILES)
    assert asked["OPEN"] == 3 * FILES, "open, write and read open each file once"
    assert asked["OPENDIR"] - 30 in (0, 1), (
        "each of three folders is listed ten times; the rig looks at the root"
    )
    assert asked["LOOKUP"] >= 5 * FILES, "names are looked up anew for each operation"


def test_names_that_the_kernel_still_knows_are_not_asked_for_where_the_cache_stays_warm(rig, plainfs):
    """A kernel that is short of memory forgets names by itself: one warm load of three shows it."""
    knobs = ("--getattr-us=2000", "-oentry_timeout=1000,attr_timeout=1000")

    def stat_ns(cache: Literal["cold", "warm"]) -> float:
        timed = load("create", "stat", cache=cache, files=100, threads=1)
        return measured(rig, argv=plain(plainfs, *knobs), load=timed)[0]["metadata.stat.p50"].value

    assert stat_ns("cold") >= 2e6, "each lookup waits as long as the filesystem was told to"
    assert any(stat_ns("warm") < 1e6 for _ in range(3))


def test_a_planted_delay_of_each_creation_bounds_their_rate_as_fio_sees_it_too(rig, plainfs):
    argv = plain(plainfs, "--create-us=2000")
    found, out = measured(rig, argv=argv, load=load("create", "unlink", files=200, threads=1))
    assert found["metadata.create.rate"].value <= 500
    assert found["metadata.create.p50"].value >= 2e6
    assert found["metadata.unlink.p50"].value < 2e6, "nothing was planted there"
    mean_ns = json.loads((out / "metadata.json").read_text())[0]["latency_mean_ns"]
    options = {"ioengine": "filecreate", "nrfiles": "200", "filesize": "4k", "bs": "4k", "openfiles": "1"}
    record, out = rig.run(argv=argv, load=Load("fio", "w", {"jobs": {"job": options}, "global": {}}))
    assert record.status == "ok", record.reason
    seen = json.loads((out / "fio.json").read_text())["jobs"][0]["read"]["clat_ns"]
    assert seen["N"] == 200
    assert mean_ns == pytest.approx(seen["mean"], rel=0.5), "fio's own engine times the same call"


def test_errors_fail_the_run_and_are_counted(rig, plainfs):
    record, _ = rig.run(argv=plain(plainfs, "--fail-every=100"), load=load("create", "write", "unlink"))
    assert record.status == "failed"
    assert "write: 3 of 300 failed: Input/output error (os error 5)" in record.reason
    assert "unlink" not in record.reason, "nothing is done after it"


def test_data_that_is_not_what_was_written_is_found(rig, plainfs):
    record, _ = rig.run(argv=plain(plainfs, "--corrupt-every=150"), load=load("read"))
    assert record.status == "failed"
    assert "read: 2 of 300 failed: what was read back is not what was written" in record.reason
