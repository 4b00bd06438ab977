"""The Rust programs of tools/ keep what their own tests promise."""

import subprocess
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["metadata", "spans"])
def test_the_tests_of_our_tools_pass(checkout: Path, tmp_path: Path, tool: str) -> None:
    argv = ["cargo", "test", "--quiet", "--locked", "--target-dir", str(tmp_path)]
    done = subprocess.run(argv, cwd=checkout / "tools" / tool, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
