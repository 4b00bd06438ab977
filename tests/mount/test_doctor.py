"""`fuselab doctor` looks at a machine and leaves it as it was."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.mount

SCRIPT = """
while umount /sys/kernel/tracing 2>/dev/null; do :; done
cat /proc/self/mountinfo > "$1/before"
.venv/bin/fuselab doctor > "$1/said"
cat /proc/self/mountinfo > "$1/after"
"""


def test_trying_what_can_be_recorded_leaves_no_mount_behind(checkout: Path, tmp_path: Path):
    # perf mounts tracefs where it is missing: in mounts of our own it is missing, whatever others did before.
    argv = ["unshare", "--mount", "sh", "-c", SCRIPT, "doctor", str(tmp_path)]
    subprocess.run(argv, cwd=checkout, check=True, timeout=120)
    assert "perf-offcpu: perf can record" in (tmp_path / "said").read_text()
    assert (
        "fuse-requests: the requests of FUSE filesystems can be recorded" in (tmp_path / "said").read_text()
    )
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
