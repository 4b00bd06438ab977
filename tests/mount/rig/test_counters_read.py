"""What programs and stores count themselves is in work.json: as much as was asked of them, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.mount.rig.conftest import Rig, fio

from fuselab.files import read_json
from fuselab.records.places import WORK
from fuselab.records.request import Load
from fuselab.records.work import COUNTERS, Work
from fuselab.targets.model import ONLY, CounterSource, CounterSources
from fuselab.targets.services import read_service

pytestmark = pytest.mark.mount

ETCD = """
for i in 1 2 3; do etcdctl --endpoints=http://127.0.0.1:2379 put key $i; done
for i in 1 2 3 4 5; do etcdctl --endpoints=http://127.0.0.1:2379 get key; done
etcdctl --endpoints=http://127.0.0.1:2379 del key
"""
REDIS = "for i in 1 2 3; do redis-cli set key $i; done; redis-cli get key; redis-cli del key"
POSTGRES = "create table t (x int); insert into t values (1), (2), (3); update t set x = 9 where x < 3; delete from t"


def served(rig: Rig, checkout: Path, name: str, *argv: str) -> dict[str, float]:
    """What the service says of the command `argv`, as its file asks for it."""
    service, counters = read_service(name, checkout)
    record, out = rig.run(
        purpose="work",
        argv=(),
        service=service,
        load=Load("command", "w", {"argv": argv}),
        counters=CounterSources(services=((ONLY, counters),)),
    )
    assert record.status == "ok", record.reason
    work = read_json(out / WORK, Work)
    assert f"service.{COUNTERS}" not in work.unavailable, work.unavailable
    return dict(work.services[ONLY].families[COUNTERS])


def test_etcd_tells_each_request_by_its_name(rig: Rig, checkout: Path) -> None:
    if not (shutil.which("etcd") and shutil.which("etcdctl")):
        pytest.skip("etcd is not installed")
    counted = served(rig, checkout, "etcd", "sh", "-c", ETCD)
    asked = {name: number for name, number in counted.items() if name.startswith("requests.") and number}
    assert asked == {"requests.Put": 3, "requests.Range": 5, "requests.DeleteRange": 1}
    assert (counted["mvcc.put"], counted["mvcc.range"], counted["mvcc.delete"]) == (3, 5, 1)


def test_redis_tells_each_command(rig: Rig, checkout: Path) -> None:
    if not shutil.which("redis-server"):
        pytest.skip("redis is not installed")
    counted = served(rig, checkout, "redis", "sh", "-c", REDIS)
    assert counted == {"cmdstat_set.calls": 3, "cmdstat_get.calls": 1, "cmdstat_del.calls": 1}


@pytest.mark.slow
def test_postgres_tells_what_was_done_to_each_table_although_it_takes_its_time(
    rig: Rig, checkout: Path
) -> None:
    if not shutil.which("psql"):
        pytest.skip("PostgreSQL is not installed")
    counted = served(rig, checkout, "postgres", "psql", "-h", "127.0.0.1", "-U", "postgres", "-c", POSTGRES)
    assert {name: number for name, number in counted.items() if name.startswith("t.")} == {
        "t.inserted": 3,
        "t.updated": 2,
        "t.deleted": 3,
        "t.scans": 2,
    }


def told(rig: Rig, plainfs: Path, *sources: CounterSource) -> Work:
    record, out = rig.run(
        purpose="work",
        argv=(str(plainfs), "{state}", "--tell=1", "{mountpoint}", "-f"),
        binary=str(plainfs),
        load=fio(rw="write", bs="4k", size="1200k", direct="1"),
        counters=CounterSources(target=sources),
    )
    assert record.status == "ok", record.reason
    return read_json(out / WORK, Work)


def test_a_stranger_s_own_counters_are_read_from_its_state_and_through_its_mount(
    rig: Rig, plainfs: Path
) -> None:
    state = CounterSource("lines", file="{state}/.counters")
    mount = CounterSource("lines", file="{mountpoint}/.counters", only=("writes",), rename=(("writes", "w"),))
    work = told(rig, plainfs, state, mount)
    assert COUNTERS not in work.unavailable
    assert dict(work.target.families[COUNTERS]) == {"writes": 300, "bytes": 300 * 4096, "w": 300}
    assert work.operations == 300


def test_a_place_that_does_not_answer_ends_no_run(rig: Rig, plainfs: Path) -> None:
    there = CounterSource("lines", argv=("cat", "{state}/.counters"), only=("bytes",))
    nobody = CounterSource("prometheus", http="http://127.0.0.1:9/metrics")
    work = told(rig, plainfs, nobody, there)
    assert "http://127.0.0.1:9/metrics: " in work.unavailable[COUNTERS]
    assert "refused" in work.unavailable[COUNTERS]
    assert dict(work.target.families[COUNTERS]) == {"bytes": 300 * 4096}
