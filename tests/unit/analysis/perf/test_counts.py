"""What perf has counted, by name; nothing where it has lost some, and nothing of what the machine cannot count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fuselab.analysis.perf import counts
from fuselab.analysis.perf.tracepoints import Tracepoints
from fuselab.errors import ProfileError

STAT = """\
# started on Sun Nov 29 01:26:10 2026

12,,sched:sched_switch,group,523,100.00,,
<not counted>,,sched:sched_switch,group,0,100.00,,
<not supported>,,instructions,group,0,100.00,,
"""


def test_what_perf_stat_writes(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    found = counts.count_totals(tmp_path / "stat", ["voluntary", "involuntary", "instructions"])
    assert found == {"voluntary": 12.0, "involuntary": 0.0, "instructions": None}


def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, numbers: list[int], lost: int) -> Path:
    samples = np.array([(number,) for number in numbers], [("id", "<i8")])
    monkeypatch.setattr(
        counts,
        "read_tracepoints",
        lambda data: Tracepoints({"sys_enter": samples} if numbers else {}, lost=lost),
    )
    (tmp_path / "data").write_text("perf")
    return tmp_path / "data"


def test_calls_are_counted_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = recorded(monkeypatch, tmp_path, [0, 18, 18, 463], lost=0)
    assert counts.count_syscalls(data, {0: "read", 18: "pwrite64"}) == {
        "read": 1,
        "pwrite64": 2,
        "syscall_463": 1,
    }


def test_a_program_that_made_none_is_counted_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert counts.count_syscalls(recorded(monkeypatch, tmp_path, [], lost=0), {}) == {}


def test_lost_records_void_the_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="perf lost 3 records"):
        counts.count_syscalls(recorded(monkeypatch, tmp_path, [0, 18], lost=3), {})
