"""Runs whose loads take turns: all mounted at once, one load at a time; if one fails, all end, and it is named."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mount.rig.conftest import Rig

from fuselab.compare.schedule import turns
from fuselab.records.request import Load, RunRequest
from fuselab.rig.turns import Taken, take_turns
from fuselab.workloads.fio import fio_json

pytestmark = pytest.mark.mount

LOAD = Load(
    "fio",
    "w",
    {"jobs": {"job": {"rw": "randwrite", "bs": "16k", "size": "4m", "runtime": "1s"}}, "global": {}},
)
SLICE_S = 0.025


def take(
    rig: Rig, load: Load = LOAD, rounds: int = 8, **argvs: tuple[str, ...]
) -> tuple[Taken, dict[str, RunRequest]]:
    requests = {name: rig.request(argv=argv, load=load, purpose="timed") for name, argv in argvs.items()}
    return take_turns(requests, turns(list(requests), rounds, seed=1), SLICE_S), requests


def plain(plainfs: Path, *words: str) -> tuple[str, ...]:
    return (str(plainfs), "{state}", *words, "-f", "{mountpoint}")


def test_each_has_its_turns_and_what_it_did_in_them(rig, plainfs):
    taken, requests = take(rig, a=plain(plainfs), b=plain(plainfs, "--cpu-us=2000"))
    assert {name: record.status for name, record in taken.records.items()} == {"a": "ok", "b": "ok"}
    own = [each for each in taken.slices if each.own]
    assert len(taken.slices) == 2 * len(own) == 32
    assert [each.whose for each in own[:2]] != [each.whose for each in own[2:4]] or len(
        {e.whose for e in own[:2]}
    ) == 2
    for name, request in requests.items():
        moved = sum(each.written_bytes for each in own if each.variant == name)
        whole = fio_json.traffic(fio_json.read(Path(request.out, "fio.json"))).bytes
        assert 0.4 * whole < moved <= whole, "begin and edges are not counted"
    assert {each.written_bytes + each.read_bytes for each in taken.slices if not each.own} == {0}
    assert all(each.seconds > 0.8 * SLICE_S for each in own)
    planted_s = 2e-3 * sum(each.written_bytes for each in own if each.variant == "b") / (16 << 10)
    assert sum(each.cpu_s for each in taken.slices if each.variant == "b") > 0.9 * planted_s


def test_all_variants_of_a_round_begin_on_the_same_cpu(rig, plainfs):
    taken, _ = take(rig, rounds=24, a=plain(plainfs), b=plain(plainfs))
    places = {(each.round, each.load_cpu, each.target_cpu) for each in taken.slices}
    assert len(places) == 24, "one for each round"
    assert all(load == target for _, load, target in places)
    assert {load for _, load, _ in places} == os.sched_getaffinity(0)


def test_work_behind_the_load_is_seen_in_the_slices_of_others(rig, plainfs):
    taken, _ = take(rig, a=plain(plainfs), b=plain(plainfs, "--behind-us=500"))
    elsewhere = {
        name: sum(each.cpu_s for each in taken.slices if each.variant == name and not each.own)
        for name in "ab"
    }
    assert elsewhere["b"] > 0.02
    assert elsewhere["a"] < 0.2 * elsewhere["b"]


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--die-at=50"], "died during the load"), (["--fail-every=60"], "Input/output error")],
)
def test_who_fails_is_named_and_the_others_are_ended(rig, plainfs, words, said):
    taken, _ = take(rig, a=plain(plainfs), b=plain(plainfs, *words))
    failed = {name: record for name, record in taken.records.items() if record.status == "failed"}
    assert list(failed) == ["b"], "the other had no fault"
    assert said in str(failed["b"].reason)


def test_who_does_not_mount_is_named_and_whoever_waits_is_ended(rig, plainfs):
    taken, _ = take(rig, a=plain(plainfs), b=("/bin/false",))
    assert {name: record.status for name, record in taken.records.items()} == {"b": "failed"}


def test_the_time_of_others_is_none_of_a_loads_own(rig, plainfs):
    """Each waits longer than its `timeout` for the other two."""
    argvs = dict.fromkeys("abc", plain(plainfs))
    taken, _ = take(rig, replace(LOAD, timeout_s=3), rounds=48, **argvs)
    assert taken.slices[-1].at_s > 3
    assert {record.status for record in taken.records.values()} == {"ok"}


def test_whose_own_turns_take_longer_fails(rig, plainfs):
    taken, _ = take(rig, replace(LOAD, timeout_s=1), rounds=400, a=plain(plainfs), b=plain(plainfs))
    reasons = {record.reason for record in taken.records.values() if record.status == "failed"}
    assert reasons
    assert all("did not end within 1 s" in str(reason) for reason in reasons)


def test_reads_count_as_writes_do(rig, plainfs):
    jobs: dict[str, Any] = {
        "job": {"rw": "randread", "bs": "4k", "size": "4m", "runtime": "1s", "numjobs": "2"}
    }
    taken, _ = take(rig, Load("fio", "w", {"jobs": jobs, "global": {}}), a=plain(plainfs), b=plain(plainfs))
    read = {name: sum(each.read_bytes for each in taken.slices if each.variant == name) for name in "ab"}
    assert min(read.values()) > 0
    assert sum(each.written_bytes for each in taken.slices) < 0.01 * sum(read.values()), (
        "files were laid out before"
    )
