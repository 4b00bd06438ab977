"""A short form of the fault matrix (`make test-faults`): nothing left, no block lost, no wrong figure."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.matrix import play, prepare

pytestmark = [pytest.mark.mount, pytest.mark.slow]


def test_a_kill_and_a_changed_figure_cost_nothing_but_what_they_hit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    room, usual_s = prepare(tmp_path)
    for fault in ("kill -9 of snakemake", "a figure changed"):
        counts = play(room, fault, 1, usual_s)
        assert not any(counts[name] for name in ("left", "blocks lost", "wrong figures", "calls failed"))
