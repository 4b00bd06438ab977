"""demofs with its names in etcd and its data in S3: two services in one run, each counted, each blamed for itself."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mount.rig.conftest import Rig, fio

from fuselab.building.build import make_build
from fuselab.building.request import build_request
from fuselab.experiment.model import Variant
from fuselab.files import read_json
from fuselab.programs import tool_path
from fuselab.records.places import WORK
from fuselab.records.request import Load
from fuselab.records.run import RunRecord
from fuselab.records.work import Work
from fuselab.targets.loading import load_target
from fuselab.targets.model import Backend, CounterSources, Link, fill_argv
from fuselab.targets.services import load_service
from fuselab.workloads.work_metrics import metrics

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(tool_path("s3s-fs") is None, reason="type `make setup-s3` first"),
]

VERIFY = Load("fio", "verify", {"ways": ("data",), "known_failures": ()})
FILES = fio(
    rw="write",
    bs="64k",
    nrfiles="8",
    filesize="64k",
    size="512k",
    create_on_open="1",
    openfiles="1",
    file_service_type="sequential",
)
"""Eight files of one chunk each, made, written and closed."""
Run = Callable[..., tuple[RunRecord, Path]]


@pytest.fixture(scope="module")
def demofs(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if given := os.environ.get("DEMOFS_BINARY"):
        return Path(given)
    target = load_target("demofs", checkout)
    spec = build_request(target, Variant("baseline", "demofs", "sqlite"))
    assert spec is not None
    folder = tmp_path_factory.mktemp("build")
    return folder / make_build(spec, target.build, folder).binary


@pytest.fixture
def run(rig: Rig, checkout: Path, demofs: Path) -> Run:
    """A run of demofs on one of its backends in S3, as target.yaml says it."""
    target = load_target("demofs", checkout)

    def go(name: str = "etcd-s3", *options: str, **changes: Any) -> tuple[RunRecord, Path]:
        backend: Backend = target.backends[name]
        parts = {"backend": backend.argv, "options": options}
        asked = {
            "argv": fill_argv(target.mount.argv, {"binary": str(demofs)}, parts),
            "binary": str(demofs),
            "env": backend.env,
            "services": tuple((role, load_service(of, checkout)) for role, of in backend.services),
            "cache": target.mount.cache,
            "stop": target.stop,
            "load": FILES,
            "counters": CounterSources(target=backend.counters),
        }
        return rig.run(**{**asked, **changes})

    return go


@pytest.fixture(autouse=True)
def credentials_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.setenv(name, "not-for-a-run")


def test_what_was_written_is_read_back_from_the_bucket_on_an_empty_cache(run: Run) -> None:
    record, out = run(purpose="verify", load=VERIFY)
    assert record.status == "ok", record.reason
    assert "not-for-a-run" not in " ".join(record.env.values())
    assert record.exit_codes["service.data"] == 0
    assert (out / "service.data.log").exists()


def test_one_put_more_for_each_file_is_counted(run: Run) -> None:
    plain, more = (
        {metric.name: metric.value for metric in metrics(read_json(out / WORK, Work))}
        for record, out in (run(purpose="work"), run("etcd-s3", "--inject=more-puts=1", purpose="work"))
        if record.status == "ok"
    )
    name = "work.counter.s3.put_per_op"
    assert (plain[name], more[name]) == (1.0, 2.0), "one chunk and one write a file"
    assert plain["work.counter.s3.delete_per_op"] == 0
    assert plain["work.service.data.syscalls_per_op"] > 0


def test_another_account_is_refused(run: Run) -> None:
    env = (("AWS_ACCESS_KEY_ID", "of-the-run"), ("AWS_SECRET_ACCESS_KEY", "of-somebody-else"))
    record, out = run("s3", env=env)
    assert record.status == "failed"
    assert "SignatureDoesNotMatch" in (out / "target.log").read_text()


def test_a_slow_bucket_is_waited_for(run: Run) -> None:
    record, _ = run(links=(("data", Link(0.05)),))
    assert record.status == "ok", record.reason
    assert record.phases is not None
    assert record.phases.load_s > 8 * 0.1, "each file is one round trip away at least"


@pytest.mark.parametrize(
    ("backend", "program", "of", "who"),
    [
        ("etcd-s3", "s3s-fs", "objects", "s3 (data)"),
        ("etcd-s3", "etcd", "--data-dir", "etcd (meta)"),
        ("redis-s3", "redis-server", "127.0.0.1", "redis (meta)"),
    ],
)
def test_who_of_two_stores_was_killed_is_named_and_nothing_is_left(
    rig: Rig, run: Run, backend: str, program: str, of: str, who: str
) -> None:
    if not shutil.which(program) and tool_path(program) is None:
        pytest.skip(f"{program} is not installed")

    def kill() -> None:
        fio_pid = rig.pid_of("fio", "load.fio")
        store = rig.pid_of(program, of)
        assert fio_pid != store
        time.sleep(0.2)  # into the load, not before its first file
        os.kill(store, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    load = fio(rw="write", bs="64k", size="1m", runtime="20s", fsync="1")
    record, _ = run(backend, load=load)
    killer.join()
    assert record.status == "failed"
    assert f"died during the load: {who} (killed by SIGKILL)" in (record.reason or "")
    assert rig.nothing_left()


def test_a_bucket_that_is_full_fails_the_run_that_writes(rig: Rig, run: Run, checkout: Path) -> None:
    """A file system of 4 MiB below the bucket."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounts a filesystem below the bucket, which only root may")
    s3 = load_service("s3", checkout)
    small = ("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "{state}/objects/data")
    full = replace(s3, prepare=(*s3.prepare, small))
    record, out = run("s3", services=(("", full),), load=fio(rw="write", bs="64k", size="4m", fsync="1"))
    assert record.status == "failed"
    assert "S3" in (out / "target.log").read_text()
