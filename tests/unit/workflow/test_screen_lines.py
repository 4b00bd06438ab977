"""What Snakemake says on the screen: short reasons, and no lines without news."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuselab.workflow.screen_lines import shortened


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Forced execution", "Forced execution"),
        ("Missing output files: a.json", "Missing output files: a.json"),
        ("Missing output files: a, b, c", "Missing output files: a, b, c"),
        ("Missing output files: a, b, c, d", "Missing output files: a, b and 2 more"),
        (
            "Input files updated by another job: "
            + ", ".join(f"results/{n}" for n in range(60))
            + "; Code has changed",
            "Input files updated by another job: results/0, results/1 and 58 more; Code has changed",
        ),
    ],
)
def test_a_reason_names_some_files_and_counts_the_rest(said, shown):
    assert shortened(said) == shown


def test_no_line_is_longer_than_a_person_reads(tmp_path: Path, checkout: Path):
    """A whole experiment, as Snakemake would make it: of the installed version, not of what it once said."""
    for name in [
        "Snakefile",
        "config.yaml",
        "rules",
        "scripts",
        "envs",
        "targets",
        "services",
        "experiments",
        "profiles",
    ]:
        (tmp_path / name).symlink_to(checkout / name)
    done = subprocess.run(
        [checkout / ".venv/bin/snakemake", "-n", "--cores", "2", "results/tour/report.html"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    reasons = [line for line in said.splitlines() if line.startswith("Reason: ")]
    assert reasons
    assert max(map(len, reasons)) < 500
    assert any(" more" in line for line in reasons)
    assert "Select jobs to execute" not in said
