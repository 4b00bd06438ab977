"""`verify: [data, posix]`, whole: who fails a case that its target does not list is *failed*, by that case's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mount.conftest import Workspace

from fuselab.files import read_json
from fuselab.records.places import VERIFY
from fuselab.records.verified import Verified
from fuselab.targets.loading import load_target
from fuselab.workloads.verifying.base import is_known
from fuselab.workloads.verifying.posix import LOG, read_cases

pytestmark = [pytest.mark.mount, pytest.mark.slow]

EXPERIMENT = """
title: a bindfs that refuses chown
target: bindfs
variants:
  baseline: {}
  refusing: {options: {fuse: chown-deny}}
workloads: {w: {fio: {rw: write, bs: 128k, size: 8m}}}
blocks: 1
verify: [data, posix]
"""


def records_of(home: Path) -> dict[str, Verified]:
    """By variant."""
    records = [read_json(path, Verified) for path in home.glob(f"verify/*/*/{VERIFY}")]
    return {record.variant: record for record in records}


def test_a_variant_that_fails_a_new_case_is_failed_with_the_case_s_name(workspace: Workspace) -> None:
    workspace.experiment("verified", EXPERIMENT)
    workspace.make("results/verified/report.html")
    home = workspace.root / "results/verified"
    verified = records_of(home)
    assert verified["baseline"].status == "ok", verified["baseline"].reason
    assert "POSIX suite: " in verified["baseline"].found[0]
    assert " passed" in verified["baseline"].found[0]
    assert verified["refusing"].status == "failed"
    first = (verified["refusing"].reason or "").splitlines()[0]
    assert "of the POSIX suite fail" in first
    assert "`mkdir::uid_gid_eq_euid_egid`" in first, "what is made belongs to whom it may not be given"
    assert "`link::" not in first, "what the target lists is no news"
    assert {row["verdict"] for row in workspace.rows("verified")} == {"failed"}
    assert "mkdir::uid_gid_eq_euid_egid" in (home / "report.html").read_text()


DEMOFS = """
title: demofs is verified by the POSIX suite
target: demofs
variants:
  sqlite: {}
  memory: {backend: memory}
workloads: {w: {fio: {rw: write, bs: 128k, size: 8m}}}
blocks: 1
verify: [data, posix]
"""


def test_demofs_passes_but_for_what_it_lists_and_lists_nothing_that_it_passes(workspace: Workspace) -> None:
    workspace.experiment("demofs-verified", DEMOFS)
    workspace.make("results/demofs-verified/report.html")
    home = workspace.root / "results/demofs-verified"
    assert {name: (record.status, record.reason) for name, record in records_of(home).items()} == {
        "sqlite": ("ok", None),
        "memory": ("ok", None),
    }
    known = load_target("demofs", workspace.root).known_failures
    for log in home.glob(f"verify/*/*/**/{LOG}"):
        failed = {case.name for case in read_cases(log.read_text()) if case.outcome == "FAILED"}
        assert all(any(is_known(name, [pattern]) for name in failed) for pattern in known), (known, failed)
        assert bool(failed) == bool(known)
