"""`cpus`: who is kept on which CPUs, and what is said where there is no such CPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.mount.rig.conftest import Rig

from fuselab.errors import RigError
from fuselab.records.cpus import Cpus
from fuselab.records.request import Load
from fuselab.rig.run import execute
from fuselab.targets.services import read_service

pytestmark = pytest.mark.mount

ALL = os.sched_getaffinity(0)
FIRST, SECOND = sorted(ALL)[0], sorted(ALL)[-1]
WHO_IS_WHERE = ("grep", "-hE", "^(Name|Cpus_allowed_list):", "/proc/*/status")


def where(rig: Rig, cpus: Cpus) -> dict[str, str]:
    """The CPUs that each program of a run may use, as the kernel says them, by its name."""
    redis, _ = read_service("redis", Path(__file__).parents[3])
    load = Load("command", "w", {"argv": ["sh", "-c", f"{' '.join(map(quoted, WHO_IS_WHERE))}"]})
    record, out = rig.run(load=load, cpus=cpus, service=redis)
    assert record.status == "ok", record.reason
    lines = [line.split("\t")[1] for line in (out / "command.log").read_text().splitlines()]
    return dict(zip(lines[::2], lines[1::2], strict=True))


def quoted(word: str) -> str:
    return word if "*" in word else f"'{word}'"


@pytest.mark.skipif(FIRST == SECOND, reason="one CPU is all there is")
def test_each_is_kept_where_it_was_put_and_the_others_are_free(rig: Rig) -> None:
    found = where(rig, Cpus(target=(FIRST,), load=(SECOND,)))
    free = found["redis-server"]
    assert (found["bindfs"], found["grep"]) == (str(FIRST), str(SECOND))
    assert free not in (str(FIRST), str(SECOND))
    assert where(rig, Cpus(services=(SECOND,)))["redis-server"] == str(SECOND)
    assert os.sched_getaffinity(0) == ALL, "who measures is where it was"


def test_a_cpu_that_is_not_here_is_named_with_those_that_are(rig: Rig) -> None:
    with pytest.raises(
        RigError, match=r"`cpus` names CPU 8000, and fuselab may use CPUs? .*: name some of these"
    ):
        execute(rig.request(cpus=Cpus(load=(8000,))))
