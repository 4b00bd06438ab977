"""The Rust programs of tools/ keep what their own tests promise."""

import subprocess
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_tests_of_fuselab_spans_pass(checkout: Path, tmp_path: Path) -> None:
    argv = ["cargo", "test", "--quiet", "--locked", "--target-dir", str(tmp_path)]
    done = subprocess.run(argv, cwd=checkout / "tools/spans", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
