"""What failed is tried again, is counted, and is tried anew by the next call; what was measured well is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

TARGET = """\
name: {name}
title: plainfs, as it is told
build: {{installed: {{binary: "{binary}"}}}}
mount: {{argv: [{argv}], hang: 1s}}
stop: {{timeout: 5s}}
"""
SICK = 'exec "$0" "$1" $(test -e "$3" && echo --fail-every=50) -f "$2"'
"""As long as a file is there, every 50th write fails."""
EXPERIMENT = """\
title: what fails
variants: {{baseline: {{target: plain}}, other: {{target: {other}}}}}
workloads:
  seq: {{fio: {{rw: write, bs: 4k, size: 24m}}}}
blocks: 3
compare: {{primary: [write.bw]}}
"""


@pytest.fixture
def room(workspace: Workspace, plainfs: Path) -> Workspace:
    """With the targets plain, hanging (only after as many writes as the verifying run has not) and sick."""
    targets = workspace.root / "targets"
    targets.unlink()
    sick = workspace.root / "sick"
    for name, words in {
        "plain": ["{binary}", "{state}", "-f", "{mountpoint}"],
        "hanging": ["{binary}", "{state}", "--hang-at=4000", "-f", "{mountpoint}"],
        "sick": ["sh", "-c", SICK, "{binary}", "{state}", "{mountpoint}", str(sick)],
    }.items():
        folder = targets / name
        folder.mkdir(parents=True)
        argv = ", ".join(json.dumps(word) for word in words)
        (folder / "target.yaml").write_text(TARGET.format(name=name, binary=plainfs, argv=argv))
    return workspace


def timed(room: Workspace, experiment: str) -> dict[Path, int]:
    return {p: p.stat().st_ino for p, run in room.runs(experiment).items() if run["purpose"] == "timed"}


def test_who_is_well_again_is_measured_by_the_next_call(room: Workspace) -> None:
    room.experiment("sick", EXPERIMENT.format(other="sick"))
    (room.root / "sick").touch()
    room.make("results/sick/comparisons.csv")
    row = room.comparisons("sick")["other", "write.bw"]
    assert row["verdict"] == "failed"
    assert row["note"].startswith(
        "failed in 2 of 2 verifying runs: fio failed in sequential: Input/output error"
    )
    assert timed(room, "sick") == {}, "nothing is timed for a contrast that has failed"

    there = list((room.root / "results/sick/verify/other").iterdir())
    assert "the next call that makes something" in room.make("-n", "results/sick/comparisons.csv")
    assert list((room.root / "results/sick/verify/other").iterdir()) == there, "a dry run moves nothing"

    (room.root / "sick").unlink()
    assert "failed, and is tried anew" in room.make("results/sick/comparisons.csv")
    row = room.comparisons("sick")["other", "write.bw"]
    assert row["verdict"] != "failed", row["note"]
    assert (
        "`other` failed in 2 of 3 verifying runs (fio failed in sequential: Input/output error" in row["note"]
    )
    measured = timed(room, "sick")
    assert len(measured) == 3 * 2
    room.make("results/sick/comparisons.csv")
    assert timed(room, "sick") == measured, "what went well is not measured again"


def test_a_hang_costs_one_wait_a_block_and_is_counted(room: Workspace) -> None:
    room.experiment("hanging", EXPERIMENT.format(other="hanging"))
    room.make("results/hanging/comparisons.csv")
    row = room.comparisons("hanging")["other", "write.bw"]
    assert row["verdict"] == "failed"
    assert row["note"].startswith("hung in 3 of 3 runs: hung: no progress for 1 s with 1 request in flight")
    hangs = list((room.root / "results/hanging/attempts").glob("**/hang.json"))
    assert len(hangs) == 3
