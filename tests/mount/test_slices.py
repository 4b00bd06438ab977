"""`design: slices`: all variants of a block are mounted at once and their loads take turns, on a C filesystem."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace
from tests.mount.processes import eventually, naming, pid_of

from fuselab.files import open_folder
from fuselab.locks import try_lock
from fuselab.records.slices import SLICES, Slice
from fuselab.records.table import read_rows
from fuselab.system.cgroup import PREFIX
from fuselab.workloads.fio import fio_json

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TARGET = """\
title: a folder, passed on
build: {installed: {binary: "BINARY"}}
options:
  cpu: {argv: ["--cpu-us={value}"]}
  behind: {argv: ["--behind-us={value}"]}
mount: {argv: ["{binary}", "{state}", "{options}", "{mountpoint}", "-f"]}
"""
EXPERIMENT = """\
title: loads take turns
target: plainfs
variants:
  baseline: {}
  slower: {options: {cpu: 1000}}
  behind: {options: {behind: 300}}
workloads: {w: {fio: {rw: randwrite, bs: 16k, size: 8m, runtime: 400ms}}}
design: slices
slice: 25ms
blocks: 7
"""


def prepare(workspace: Workspace, plainfs: Path) -> None:
    workspace.target("plainfs", TARGET.replace("BINARY", str(plainfs)))


def test_what_each_did_in_its_own_slices_decides(workspace: Workspace, plainfs: Path) -> None:
    prepare(workspace, plainfs)
    workspace.experiment("turns", EXPERIMENT)
    workspace.make("results/turns/report.html")
    verdicts = workspace.comparisons("turns")
    assert verdicts["slower", "write.bw"]["verdict"] == "slower"
    assert float(verdicts["slower", "write.bw"]["ratio_high"]) < 0.7
    behind = verdicts["behind", "write.bw"]
    assert behind["verdict"] == "inconclusive", "what it does in the slices of others slows them"
    assert "`behind` and its services compute in the slices of others" in behind["note"]
    blocks = sorted((workspace.root / "results/turns/blocks/w").glob("*/*"))
    assert len(blocks) == 7
    for block in blocks:
        slices = read_rows(block / SLICES, Slice)
        rounds = Counter(each.whose for each in slices if each.own)
        assert len(set(rounds.values())) == 1, "as many turns for each"
        assert rounds["baseline"] >= 16
        for name in rounds:
            done = fio_json.load(block / name / "fio.json")
            own = sum(each.written_bytes for each in slices if each.variant == name)
            moved = done["jobs"][0]["write"]["io_bytes"]
            assert 0 < own <= moved, "of what fio itself has counted, ramp and edges are left out"
    with (workspace.root / "results/turns/metrics.csv").open() as file:
        metrics = {row["metric"] for row in csv.DictReader(file)}
    assert metrics == {"write.bw", "write.iops"}
    page = (workspace.root / "results/turns/report.html").read_text()
    assert "Throughput by slice" in page


def test_looks_stop_as_soon_as_turns_have_decided(workspace: Workspace, plainfs: Path) -> None:
    prepare(workspace, plainfs)
    text = EXPERIMENT.replace("blocks: 7", "blocks: auto").replace("  behind: {options: {behind: 300}}\n", "")
    workspace.experiment("looked", text.replace("400ms", "200ms"))
    workspace.make("results/looked/comparisons.csv")
    looks = {
        path.stem: json.loads(path.read_text()) for path in workspace.root.glob("results/looked/looks/w/*/*")
    }
    assert {name: look["next"] for name, look in looks.items()} == {"012": None}
    row = workspace.comparisons("looked")["slower", "write.bw"]
    assert (row["verdict"], row["blocks"], row["level"]) == ("slower", "12", "0.978")


def test_killed_in_the_middle_nothing_stays_and_the_next_call_goes_on(
    workspace: Workspace, plainfs: Path
) -> None:
    prepare(workspace, plainfs)
    text = EXPERIMENT.replace("blocks: 7", "blocks: 1")
    workspace.experiment("turns", text.replace("400ms", "60s"))
    call = workspace.start("results/turns/metrics.csv")
    pid_of(workspace.root, "fio", "load.fio", within_s=120)
    eventually(lambda: bool(frozen(workspace.root)), "no load is stopped while others run")
    os.killpg(call.pid, signal.SIGKILL)
    call.communicate()
    eventually(lambda: not naming(workspace.root), "what was stopped is gone, too")
    workspace.experiment("turns", text)
    workspace.make("results/turns/metrics.csv")
    assert not [path for path in groups() if not in_use(path)], (
        "the groups of killed runs are swept by the next"
    )


def groups() -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/{PREFIX}*"))


def frozen(root: Path) -> set[str]:
    """Processes of ours in groups that are stopped."""
    ours = {str(process.pid) for process in naming(root)}
    found: set[str] = set()
    for group in groups():
        with suppress(OSError):  # gone in the meantime
            if "frozen 1" in (group / "cgroup.events").read_text():
                found |= ours & set((group / "cgroup.procs").read_text().split())
    return found


def in_use(group: Path) -> bool:
    """By another test that runs beside this one: it has its lock."""
    try:
        with open_folder(group) as folder:
            return not try_lock(folder)
    except OSError:
        return True
