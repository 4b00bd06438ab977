"""What every test may use: where things are. A fixture that starts, mounts or builds stays beside its tests.

Markers (pyproject.toml declares them): none = fast and mounts nothing, `mount` = real mounts or a real load,
`slow` = longer than about 20 seconds, `alone` = judges what it measures. All but those may run side by side.
"""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fuselab.records.run import RunRecord

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def golden() -> Path:
    """Real output of real tools; a README beside each says which command made it."""
    return CHECKOUT / "tests" / "golden"


@pytest.fixture(scope="session")
def run_record() -> Callable[..., RunRecord]:
    """What a run leaves of itself, with the fields that a test is about."""
    return partial(
        RunRecord,
        purpose="capture", experiment="e", workload="w", variant="v", profiler="none", block=None, repeat=1,
        status="ok", reason=None, argv=(), env={}, pids={}, mount=None, phases=None, load_window_s=None,
        load_started_unix_s=None, exit_codes={}, binary_sha256=None, build=None, network="private", randseed=1,
        environment=None, target=None, files=(), started_unix_s=0.0, rig_version=1,
    )  # fmt: skip


@pytest.fixture(scope="session")
def plainfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The filesystem in C of tests/programs/plainfs.c, compiled once: its head says what it can be told to do."""
    program = tmp_path_factory.mktemp("programs") / "plainfs"
    libfuse = subprocess.check_output(["pkg-config", "--cflags", "--libs", "fuse3"], text=True).split()
    source = CHECKOUT / "tests" / "programs" / "plainfs.c"
    subprocess.run(
        ["gcc", "-O2", "-g", "-fno-omit-frame-pointer", "-Wall", source, "-o", program, *libfuse], check=True
    )
    return program


@pytest.fixture(scope="session")
def chores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in C of tests/programs/chores.c, compiled once: its head says what it can be told to do."""
    program = tmp_path_factory.mktemp("programs") / "chores"
    source = CHECKOUT / "tests" / "programs" / "chores.c"
    subprocess.run(
        ["gcc", "-O2", "-g", "-fno-omit-frame-pointer", "-Wall", source, "-o", program], check=True
    )
    return program
