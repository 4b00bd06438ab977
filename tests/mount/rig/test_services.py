"""The services that ship with fuselab: fresh in every run, ready when the target starts, gone afterwards."""

from __future__ import annotations

import glob
import os
import shutil

import pytest

from fuselab.records.request import Load
from fuselab.targets.services import load_service

pytestmark = pytest.mark.mount

PUT = """
import json, urllib.request
def ask(path, **body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:2379/v3/kv/" + path, data)) as answer:
        return json.load(answer)
before = int(ask("range", key="AA==", range_end="AA==").get("count", 0))
ask("put", key="YQ==", value="YQ==")
after = int(ask("range", key="AA==", range_end="AA==")["count"])
print("keys", before, after)
"""


def command(*argv: str) -> Load:
    return Load("command", "w", {"argv": argv})


def test_every_run_has_an_etcd_of_its_own(rig, checkout):
    if not (shutil.which("etcd") and shutil.which("etcdctl")):
        pytest.skip("etcd is not installed")
    for _ in range(2):
        record, out = rig.run(service=load_service("etcd", checkout), load=command("python3", "-c", PUT))
        assert record.status == "ok", record.reason
        assert "keys 0 1" in (out / "command.log").read_text(), "nothing of the run before"
        assert record.exit_codes["service"] in (0, -15)
        assert record.pids["service"] > 1
        assert record.phases.setup_s < 10
        assert (out / "service.log").exists()


def test_postgres_runs_as_an_account_that_is_not_root(rig, checkout):
    if not glob.glob("/usr/lib/postgresql/*/bin/postgres"):
        pytest.skip("PostgreSQL is not installed")
    psql = max(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    load = command(
        psql,
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-c",
        "create table t (x int); insert into t values (42); select * from t",
    )
    for _ in range(2):
        record, out = rig.run(service=load_service("postgres", checkout), load=load)
        assert record.status == "ok", record.reason
        assert "42" in (out / "command.log").read_text()
        assert record.exit_codes["service"] == 0


def test_redis_answers(rig, checkout):
    if not shutil.which("redis-server"):
        pytest.skip("redis is not installed")
    connect = "import socket; s = socket.create_connection(('127.0.0.1', 6379)); "
    talk = connect + "s.sendall(b'DBSIZE\\r\\n'); print(s.recv(99))"
    record, out = rig.run(service=load_service("redis", checkout), load=command("python3", "-c", talk))
    assert record.status == "ok", record.reason
    assert ":0" in (out / "command.log").read_text()


def test_a_missing_service_is_said_before_anything_starts(rig, checkout, monkeypatch):
    from fuselab.errors import RigError

    tools = rig.root / "tools"
    tools.mkdir()
    for name in ("unshare", "setpriv", "umount", "fio"):
        (tools / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(RigError, match=r"needs the program `etcd`.*services/etcd.yaml"):
        rig.run(argv=(), service=load_service("etcd", checkout))
    assert not os.listdir(rig.root / "out-1")
