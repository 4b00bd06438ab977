"""A load of metadata: what it promises before it runs, and what it says of the files that a run left."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from fuselab.workloads import REGISTRY, quantity
from fuselab.workloads.metadata import archive, outcome
from fuselab.workloads.metadata.quantities import ORDER, done
from fuselab.workloads.metric import beyond
from fuselab.workloads.running import Ended

KIND = REGISTRY["metadata"]
WENT_WELL = Ended(0, timed_out=False, said="")


def settings(*operations: str, **numbers: int) -> dict[str, object]:
    given = {"files": 2000, "folders": 1, "size": 4096, "threads": 1, "listings": 20, **numbers}
    return {"operations": done(operations or ORDER), **given}


def left(run: Path, *phases: dict[str, object]) -> Path:
    made = [{"bytes": 0, "seconds": 1.0, "errors": [], **phase} for phase in phases]
    (run / "metadata.json").write_text(json.dumps(made))
    return run


def test_what_an_operation_needs_is_done_before_it():
    assert done(["unlink"]) == ("create", "unlink")
    assert done(["read", "stat"]) == ("create", "stat", "write", "read")
    assert done(["unpack"]) == ("unpack",)
    assert done(ORDER) == ORDER


def test_the_rate_of_each_operation_decides_and_its_latencies_stand_beside_it():
    names = KIND.metric_names(settings())
    assert KIND.primary(settings()) == names[: len(ORDER)]
    assert "metadata.create.p99" in names
    assert "metadata.unpack.p99" not in names, "tar times no single file"
    assert "metadata.readdir.p99" not in names, "of 20 listings none lies beyond"
    assert "metadata.readdir.p99" in KIND.metric_names(settings(folders=10))
    assert list(KIND.metric_names(settings("create"))) == [
        "metadata.create.rate",
        "metadata.create.p50",
        "metadata.create.p99",
    ]


def test_its_work_is_counted_on_fewer_files(tmp_path):
    few = KIND.fixed(settings(folders=1000))
    assert few is not None
    assert (few.settings["files"], few.settings["folders"], few.settings["listings"]) == (200, 8, 5)
    assert few.words == "200 files instead of 2000"
    as_it_is = KIND.fixed(settings(files=100, listings=2))
    assert as_it_is is not None
    assert (as_it_is.settings, as_it_is.words) == (settings(files=100, listings=2), "")


def test_figures_are_those_of_the_operations_that_went_well(tmp_path):
    run = left(
        tmp_path,
        {"operation": "create", "operations": 2000, "seconds": 0.5, "latency_ns": [[50.0, 200], [99.0, 900]]},
        {"operation": "write", "operations": 2000, "bytes": 8_192_000, "latency_ns": [[50.0, 7], [99.0, 8]]},
    )
    found = {metric.name: metric for metric in KIND.metrics(run)}
    assert found["metadata.create.rate"].value == 4000
    assert (found["metadata.create.p99"].value, found["metadata.create.p99"].tail_ios) == (900, 20)
    assert (KIND.traffic(run).operations, KIND.traffic(run).bytes) == (4000, 8_192_000)
    assert KIND.percentiles(run)["create"] == [(50.0, 200), (99.0, 900)]
    assert quantity("metadata.create.rate").better == "higher"


@pytest.mark.parametrize(("count", "percentile", "tail"), [(1000, 99.0, 10), (999, 99.0, 9), (20, 50.0, 10)])
def test_how_many_lie_beyond_a_percentile_is_exact(count, percentile, tail):
    assert beyond(count, percentile) == tail


def test_operations_that_failed_are_told_by_kind_and_error(tmp_path):
    error = {"code": 5, "words": "Input/output error (os error 5)", "count": 3, "first": "/m/a\x1b[2J"}
    run = left(tmp_path, {"operation": "create", "operations": 97, "errors": [error]})
    result = outcome.result(run, Ended(1, timed_out=False, said=""), 10)
    assert result.reason is not None
    assert result.reason.startswith("create: 3 of 100 failed: Input/output error (os error 5)")
    assert "\x1b" not in result.reason, "names come from elsewhere"
    assert not result.wrong_data


def test_wrong_data_is_told_from_an_error(tmp_path):
    error = {"code": None, "words": "what was read back is not what was written", "count": 1, "first": "/m/a"}
    run = left(tmp_path, {"operation": "read", "operations": 9, "errors": [error]})
    assert outcome.result(run, Ended(1, timed_out=False, said=""), 10).wrong_data
    assert outcome.result(left(tmp_path), WENT_WELL, 10).reason is None


def test_the_archive_of_a_seed_is_always_the_same(tmp_path):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        archive.write(tmp_path / name, files=20, folders=3, size=100, seed=seed)
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other
    with tarfile.open(tmp_path / "one") as packed:
        files = [member for member in packed.getmembers() if member.isfile()]
    assert len({file.name for file in files}) == 20
    assert {file.size for file in files} == {100}
