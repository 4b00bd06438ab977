"""A target that stores behind its load has drained at the sign that it says; what was not stored by then is found."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mount.rig.conftest import Rig, fio

from fuselab.records.request import Load
from fuselab.records.run import RunRecord
from fuselab.targets.model import CounterSource, Drain
from fuselab.targets.services import load_service
from fuselab.workloads.run_metrics import rows

pytestmark = pytest.mark.mount

FILES, SIZE = 4, 64 << 10
UPLOADS = CounterSource("lines", file="{state}/cache/.counters", only=("uploads",))
COUNTER = Drain(counter="uploads", limit_s=30.0, sources=(UPLOADS,))
FOUR = fio(
    rw="write",
    bs="64k",
    nrfiles=str(FILES),
    filesize="64k",
    size="256k",
    create_on_open="1",
    openfiles="1",
    file_service_type="sequential",
)
VERIFY = Load("fio", "verify", {"ways": ("data",), "known_failures": ()})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def run(rig: Rig, plainfs: Path, store: Path, upload_s: float, **changes: Any) -> tuple[RunRecord, Path]:
    """A filesystem that keeps files in a cache, and uploads each `upload_s` after the one before it."""
    knobs = (f"--upload-us={round(upload_s * 1e6)}", "--tell=1")
    asked = {
        "argv": (str(plainfs), "{state}/cache", *knobs, "{mountpoint}", "-f"),
        "binary": str(plainfs),
        "env": (("PLAINFS_STORE", str(store)),),
        "prepare": (("mkdir", "{state}/cache"),),
        "load": FOUR,
    }
    return rig.run(**{**asked, **changes})


def stored(store: Path) -> list[int]:
    """The sizes of what has come as far as that."""
    return [path.stat().st_size for path in store.iterdir()]


def test_without_a_sign_the_unmount_is_the_drain_and_says_nothing_of_what_is_lost(rig, plainfs, store):
    record, _ = run(rig, plainfs, store, 0.5)
    assert record.status == "ok", record.reason
    assert record.drained is None
    assert len(stored(store)) < FILES


@pytest.mark.parametrize(
    ("drain", "sign"),
    [
        (COUNTER, "uploads"),
        (Drain(argv=("sh", "-c", 'test "$(find "$PLAINFS_STORE" -size 64k | wc -l)" = 4')), "command"),
        (Drain(quiet_s=1.5), "bytes"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_all_is_stored_at_the_sign_and_the_time_counts_until_then(rig, plainfs, store, drain, sign):
    record, out = run(rig, plainfs, store, 0.2, drain=drain)
    assert record.status == "ok", record.reason
    assert stored(store) == [SIZE] * FILES
    assert record.drained is not None
    assert record.drained.sign == sign
    if sign == "uploads":
        assert record.drained.left in range(1, FILES + 1)
    if sign == "bytes":
        assert record.drained.left is not None
        assert SIZE <= record.drained.left <= 2 * SIZE * FILES, (
            "what was uploaded behind the load, and no more"
        )
    # The last of the files comes four waits behind the load, or as many as were left when it ended.
    assert record.phases is not None
    assert 0.1 < record.drained.waited_s <= record.phases.drain_s
    metrics = {metric.name: metric.value for metric in rows(out, record, "fio")}
    assert metrics["write.drained_bw"] < FILES * SIZE / record.drained.waited_s < metrics["write.bw"]


def test_the_wait_for_a_quiet_store_is_in_no_figure(rig, plainfs, store):
    record, _ = run(rig, plainfs, store, 0.001, drain=Drain(quiet_s=3.0))
    assert record.status == "ok", record.reason
    assert record.phases is not None
    assert record.phases.drain_s < 3.0


def test_who_has_not_drained_in_time_has_failed_and_what_was_left_is_said(rig, plainfs, store):
    record, _ = run(rig, plainfs, store, 5.0, drain=replace(COUNTER, limit_s=0.5))
    assert record.status == "failed"
    assert "had not drained within 0.5 s: its counter `uploads` was 4" in (record.reason or "")


def test_a_counter_that_is_not_there_tells_nothing(rig, plainfs, store):
    record, _ = run(rig, plainfs, store, 0.001, drain=replace(COUNTER, counter="uplaods"))
    assert record.status == "failed"
    assert "cannot be told: there is no counter `uplaods`" in (record.reason or "")


def test_a_store_that_dies_while_it_drains_is_named(rig, plainfs, store, checkout):
    if not shutil.which("redis-server"):
        pytest.skip("redis is not installed")
    line = "redis-server --port {port} --bind 127.0.0.1 --save '' & sleep 3; kill -9 $!; kill -9 $$"
    dying = replace(load_service("redis", checkout), argv=("sh", "-c", line))
    record, _ = run(rig, plainfs, store, 0.001, service=dying, drain=Drain(argv=("false",), limit_s=30.0))
    assert record.status == "failed"
    assert "died during the drain: redis" in (record.reason or "")


def test_what_was_in_the_cache_alone_is_found_missing(rig, plainfs, store):
    asked = {"purpose": "verify", "load": VERIFY, "cache": ("{state}/cache",)}
    record, _ = run(rig, plainfs, store, 5.0, **asked)
    assert (record.status, record.fault) == ("failed", "wrong data"), record.reason
    assert "Its cache ({state}/cache) was emptied for the remount" in (record.reason or "")


def test_what_is_stored_is_read_back_on_an_empty_cache(rig, plainfs, store):
    asked = {"purpose": "verify", "load": VERIFY, "cache": ("{state}/cache",)}
    record, _ = run(rig, plainfs, store, 0.5, drain=COUNTER, **asked)
    assert record.status == "ok", record.reason


def test_counted_work_is_counted_until_it_has_drained(rig, plainfs, store):
    from fuselab.files import read_json
    from fuselab.records.places import WORK
    from fuselab.records.work import SYSCALLS, Work

    record, out = run(rig, plainfs, store, 0.3, purpose="work", drain=Drain(quiet_s=1.5))
    assert record.status == "ok", record.reason
    calls = read_json(out / WORK, Work).target.families[SYSCALLS]
    assert calls["write"] >= FILES, (
        "each file is written to the store by write(2), which the mount itself never needs"
    )
