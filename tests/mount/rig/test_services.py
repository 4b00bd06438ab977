"""The services that ship with fuselab: fresh in every run, ready when the target starts, gone afterwards."""

from __future__ import annotations

import glob
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.files import read_json
from fuselab.programs import tool_path
from fuselab.records.places import WORK
from fuselab.records.request import Load
from fuselab.records.work import Work
from fuselab.targets.model import ONLY, CounterSources, Link, Service, Stopping
from fuselab.targets.services import load_service, read_service
from fuselab.workloads.work_metrics import metrics

from .conftest import fio

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


def test_every_run_has_a_bucket_and_an_account_of_its_own(rig, checkout, monkeypatch):
    if tool_path("s3s-fs") is None:
        pytest.skip("type `make setup-s3` first")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "not-for-a-run")
    asked = (
        ("GET", "secret-of-the-run"),
        ("PUT", "secret-of-the-run", "hello"),
        ("GET", "secret-of-the-run"),
        ("GET", "not-for-a-run"),
    )
    program = checkout / "tests" / "programs" / "s3.py"
    words = tuple(f"python3 {program} {method} 8014 /data/7/0 {' '.join(rest)}" for method, *rest in asked)
    for _ in range(2):
        record, out = rig.run(
            service=load_service("s3", checkout), load=command("sh", "-c", f"env; {'; '.join(words)}")
        )
        assert record.status == "ok", record.reason
        said = (out / "command.log").read_text()
        assert "AWS_" not in said, "what the caller's shell holds does not get in"
        statuses = [line.split()[0] for line in said.splitlines() if line[:3].isdigit()]
        assert statuses == ["404", "200", "200", "403"], (
            "nothing of the run before; who signs with another secret is refused"
        )
        assert "200 hello" in said
        assert record.exit_codes["service"] == 0


CLUSTER = """
import json, os, signal, sys, time, urllib.error, urllib.request
def ask(port, path, **body):
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/v3/kv/{path}", json.dumps(body).encode())
    while True:
        try:
            with urllib.request.urlopen(asked) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:  # the leader was killed, and the next is not elected
            if error.code != 503: raise
            time.sleep(0.1)
def kill(member):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if f"--name=member{member}" in open(f"/proc/{pid}/cmdline").read().split("\\0"):
            os.kill(int(pid), signal.SIGKILL)
for member in sys.argv[1:]:
    kill(int(member))
if len(sys.argv) > 2:
    time.sleep(60)
for _ in range(3):
    ask(2379, "put", key="YQ==", value="YQ==")
print("keys", ask(2379 if sys.argv[1:] else 2381, "range", key="YQ==")["count"])
"""
"""Kills the members that are named, puts something into the first, as long as that takes, and reads it of the last."""


@pytest.fixture
def cluster(checkout: Path) -> Service:
    if not (shutil.which("etcd") and shutil.which("etcdctl")):
        pytest.skip("etcd is not installed")
    return load_service("etcd-3", checkout)


def test_three_members_are_one_service(rig, checkout, cluster):
    counters = CounterSources(services=((ONLY, read_service("etcd-3", checkout)[1]),))
    record, out = rig.run(
        purpose="work", service=cluster, load=command("python3", "-c", CLUSTER), counters=counters
    )
    assert record.status == "ok", record.reason
    assert "keys 1" in (out / "command.log").read_text(), "what one was given another has"
    members = ("service", "service-2", "service-3")
    assert len({record.pids[name] for name in members}) == 3
    assert {record.exit_codes[name] for name in members} <= {0, -15}
    assert all((out / f"{name}.log").exists() for name in members)
    assert not [mark for mark in record.marks if "member" in mark]
    figures = {metric.name: metric.value for metric in metrics(read_json(out / WORK, Work))}
    counted = {name: figures[f"work.service.counter.{name}"] for name in ("requests.Put", "mvcc.put")}
    assert counted == {"requests.Put": 3, "mvcc.put": 9}, "asked of one, done by each"
    assert figures["work.service.peak_memory_bytes"] > 3 * 10e6


def test_a_cluster_goes_on_without_one_of_three_and_says_so(rig, cluster):
    record, out = rig.run(service=cluster, load=command("python3", "-c", CLUSTER, "3"))
    assert record.status == "ok", record.reason
    assert "keys 1" in (out / "command.log").read_text()
    [mark] = [mark for mark in record.marks if "member" in mark]
    assert "member 3 of etcd-3 ended while the run went on (killed by SIGKILL)" in mark
    assert record.exit_codes["service-3"] == -9


def test_without_two_of_three_the_run_has_failed_and_names_both(rig, cluster):
    record, _ = rig.run(service=cluster, load=command("python3", "-c", CLUSTER, "2", "3"))
    assert record.status == "failed"
    assert "died during the load: member 2 of etcd-3 (killed by SIGKILL)" in (record.reason or "")
    assert "\nmember 3 of etcd-3 (killed by SIGKILL)" in (record.reason or "")


def test_what_an_idle_cluster_says_to_itself_hides_no_hang(rig, cluster):
    line = 'bindfs -f "$0" "$1" & sleep 3; kill -STOP $!; wait'
    record, _ = rig.run(
        service=cluster,
        argv=("sh", "-c", line, "{state}", "{mountpoint}"),
        load=fio(rw="write", size="1m", runtime="60s"),
        hang_s=4.0,
        stop=Stopping("unmount", "TERM", 2.0),
    )
    assert (record.reason or "").startswith("hung: no progress for"), record.reason
    assert "bindfs is stopped" in (record.reason or "")


def test_a_cluster_is_some_way_off_as_a_whole(rig, cluster, tmp_path):
    told = tmp_path / "told"
    ports = ("{port}", "{port2}", "{port3}")
    ask = 'for p in $1 $2 $3; do etcdctl --endpoints=127.0.0.1:$p put k v; done > "$0" 2>&1; echo $1 $2 $3 >> "$0"'
    record, _ = rig.run(
        service=cluster,
        links=((ONLY, Link(0.002)),),
        prepare=(("sh", "-c", ask, str(told), *ports),),
        load=command("true"),
    )
    assert record.status == "ok", record.reason
    *said, used = told.read_text().splitlines()
    assert said == ["OK"] * 3
    assert not {"2379", "2380", "2381"} & set(used.split()), "a relay stands before each"


PING = """
import socket
for port in (6379, 6380):
    store = socket.create_connection(("127.0.0.1", port))
    for _ in range(2 if port == 6379 else 3):
        store.sendall(b"SET key " + str(port).encode() + b"\\r\\n"); store.recv(99)
    store.sendall(b"GET key\\r\\n"); print(port, store.recv(99))
"""


@pytest.fixture
def two(checkout: Path) -> tuple[tuple[str, Service], ...]:
    """A redis for names, and another for data."""
    if not shutil.which("redis-server"):
        pytest.skip("redis is not installed")
    redis = load_service("redis", checkout)
    return (("meta", redis), ("data", replace(redis, port=6380)))


def test_a_store_for_names_and_one_for_data_serve_one_run(rig, checkout, two):
    counters = tuple((role, read_service("redis", checkout)[1]) for role, _ in two)
    record, out = rig.run(
        purpose="work",
        services=two,
        load=command("python3", "-c", PING),
        counters=CounterSources(services=counters),
    )
    assert record.status == "ok", record.reason
    log = (out / "command.log").read_text()
    assert "6379 b'$4" in log
    assert "6380 b'$4" in log, "each has its own key"
    assert record.pids["service.meta"] != record.pids["service.data"]
    assert [record.exit_codes[f"service.{role}"] for role, _ in two] == [0, 0]
    assert (out / "service.meta.log").exists()
    assert (out / "service.data.log").exists()
    figures = {metric.name: metric.value for metric in metrics(read_json(out / WORK, Work))}
    sets = "counter.cmdstat_set.calls"
    assert (figures[f"work.service.meta.{sets}"], figures[f"work.service.data.{sets}"]) == (2, 3)
    assert figures["work.service.meta.syscalls"] > 0
    assert "work.syscalls" in figures
    assert "work.service.syscalls" not in figures


TRIPS = """
import socket, statistics, sys, time
def median_ms(port):
    store = socket.create_connection(("127.0.0.1", int(port)))
    took = []
    for _ in range(21):
        sent = time.perf_counter()
        store.sendall(b"PING\\r\\n"); store.recv(99)
        took.append(time.perf_counter() - sent)
    return 1e3 * statistics.median(took)
near, far = map(median_ms, sys.argv[1:])
print(f"near={near:.3f} far={far:.3f}")
"""


def test_one_of_two_stores_is_some_way_off_and_the_target_waits_for_it(rig, two, tmp_path):
    told = tmp_path / "told"
    argv = ("sh", "-c", 'python3 -c "$0" "$1" "$2" > "$3"', TRIPS, "{meta.port}", "{data.port}", str(told))
    record, out = rig.run(
        services=two, links=(("data", Link(0.004)),), prepare=(argv,), load=command("sh", "-c", "true")
    )
    assert record.status == "ok", record.reason
    figures = dict(word.split("=") for word in told.read_text().split())
    assert float(figures["near"]) < 4 < 8 <= float(figures["far"])
    assert record.round_trips_s.keys() == {"service.data"}
    before_s, after_s = record.round_trips_s["service.data"]
    assert min(before_s, after_s) >= 0.008
    assert (out / "service.data.relay.log").read_text().strip() == "ready"


def test_which_of_two_stores_died_is_said(rig, two):
    line = "redis-server --port {port} --bind 127.0.0.1 --save '' & sleep 2; kill -9 $!; kill -9 $$"
    dying = replace(two[1][1], argv=("sh", "-c", line))
    load = fio(rw="write", size="1m", runtime="4s")
    record, _ = rig.run(services=(two[0], ("data", dying)), load=load)
    assert record.status == "failed"
    assert "died during the load: redis (data)" in (record.reason or "")


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
