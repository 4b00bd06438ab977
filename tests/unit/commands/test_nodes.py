"""What the doctor makes of the answers of several nodes, and where nothing can be asked."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from fuselab.cli import main
from fuselab.doctor.base import ok
from fuselab.doctor.nodes import unlike


def test_a_node_of_another_kind_is_named_beside_the_first() -> None:
    alike = [ok("machine", "Linux 6.1 on x86_64, 16 cores"), ok("libc", "glibc 2.36")]
    older = [alike[0], ok("libc", "glibc 2.31")]
    lines = list(unlike({"n1": alike, "n2": alike, "n3": older}))
    assert [(line.level, line.what, line.text) for line in lines] == [
        ("note", "n3: libc", "glibc 2.31, where n1 has glibc 2.36")
    ]
    assert list(unlike({})) == []


@pytest.mark.parametrize("argv", [("doctor",), ("run", "quickstart")])
def test_without_slurm_the_mend_is_said(argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(main, [*argv, "--on", "slurm"])
    assert done.exit_code == 1
    assert "there is no `sbatch` on PATH: call this where you submit jobs" in done.output
