"""A backend that is a store for metadata and one for data: a run has the services of both."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import NONE
from fuselab.experiment.planning import make_plan
from fuselab.files import read_json
from fuselab.records.places import WORK
from fuselab.records.work import COUNTERS, Work
from fuselab.rig.run import execute

from .conftest import Rig

pytestmark = pytest.mark.mount

TARGET = """
name: myfs
build: {installed: {binary: bindfs, version: [bindfs, --version]}}
mount:
  argv: [sh, -c, 'redis-cli -u "$1" set name 1 && ${2:+redis-cli -u $2 set block 1} && exec bindfs -f "$0" "$3"',
    "{state}", "{backend}", "{mountpoint}"]
stop: {first: unmount, signal: TERM, timeout: 10s}
meta:
  redis: {service: redis, argv: ["redis://127.0.0.1:{port}"]}
data:
  disk: {argv: [""]}
  blocks: {service: blocks, argv: ["redis://127.0.0.1:{port}"], persists: false}
"""
"""bindfs, which is told of the stores as if it had some, and asks each once."""
EXPERIMENT = """
name: paired
target: myfs
matrix: {along: data, axes: {meta: [redis], data: [disk, blocks]}}
work: true
workloads:
  w:
    command: {argv: [sh, -c, "redis-cli -p 6380 set b 1; for p in 6379 6380; do redis-cli -p $p dbsize; done; true"]}
"""


def test_a_pair_of_stores_has_the_services_of_both(rig: Rig, tmp_path: Path, checkout: Path) -> None:
    if not shutil.which("redis-server"):
        pytest.skip("redis is not installed")
    redis = (checkout / "services" / "redis.yaml").read_text()
    for path, text in (
        ("Snakefile", ""),
        ("targets/myfs/target.yaml", TARGET),
        ("experiments/paired.yaml", EXPERIMENT),
        ("services/redis.yaml", redis),
        ("services/blocks.yaml", redis.replace("name: redis", "name: blocks").replace("6379", "6380")),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text(text)
    plan = make_plan(load_experiment(tmp_path / "experiments/paired.yaml", tmp_path))
    served, figures = {}, {}
    for variant in ("redis-disk", "redis-blocks"):
        mount, load = plan.mount(variant, NONE, "w"), plan.work_load("w")
        asked = replace(rig.request(purpose="work"), mount=mount, load=load, counters=plan.counters[variant])
        record, out = execute(asked), Path(asked.out)
        assert record.status == "ok", record.reason
        served[variant] = sorted(name for name in record.pids if name.startswith("service"))
        work = read_json(out / WORK, Work)
        figures[variant] = {role: each.families.get(COUNTERS, {}) for role, each in work.services.items()}
        said = (out / "command.log").read_text().split()
        assert said[-1] == ("2" if variant == "redis-blocks" else "refused"), said
    assert served == {"redis-disk": ["service.meta"], "redis-blocks": ["service.data", "service.meta"]}
    assert figures["redis-blocks"]["data"]["cmdstat_set.calls"] == 1
    assert figures["redis-blocks"]["meta"]["cmdstat_set.calls"] == 0
    assert not plan.mount("redis-blocks", NONE, "w").persists, "what one of them forgets is gone"
