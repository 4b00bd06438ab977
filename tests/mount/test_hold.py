"""`fuselab hold`: a mounted variant to look into, gone when one leaves."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace, fuse_mounts

pytestmark = pytest.mark.mount

EXPERIMENT = """\
target: bindfs
variants: {baseline: {}, disk: {target: directory}}
workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}
"""


@pytest.fixture
def hold(workspace: Workspace):
    """Hold a variant of a small experiment, and run something there."""
    workspace.experiment("look", EXPERIMENT)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [".venv/bin/fuselab", "hold", "look", *words], cwd=workspace.root, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=120, check=False,
        )  # fmt: skip

    return run


def record(workspace: Workspace, variant: str) -> dict[str, object]:
    [path] = workspace.root.glob(f"results/look/held/{variant}/*/run.json")
    return dict(json.loads(path.read_text()))


def test_one_is_inside_the_mount_and_in_its_network(hold, workspace: Workspace):
    before = fuse_mounts()
    script = (
        "echo hello > file; cat file; stat -f -c %T .; readlink /proc/self/ns/net; echo $FUSELAB_TARGET_PID"
    )
    done = hold("--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    said, kind, network, pid = done.stdout.splitlines()
    assert said == "hello"
    assert "fuse" in kind.lower()
    assert network != os.readlink("/proc/self/ns/net")
    assert int(pid) > 1
    assert fuse_mounts() == before
    assert record(workspace, "baseline")["status"] == "ok"
    assert not list((workspace.root / "results" / "state").glob("[0-9a-f]*")), (
        "the state is gone with the shell"
    )


def test_the_exit_code_is_that_of_the_command(hold):
    assert hold("--", "sh", "-c", "exit 7").returncode == 7


def test_a_variant_without_a_mount_is_its_plain_folder(hold, workspace: Workspace):
    done = hold("--variant", "disk", "--", "pwd")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == "plain"


def test_a_profiler_looks_as_long_as_one_stays(hold, workspace: Workspace):
    done = hold(
        "--profiler",
        "perf-oncpu",
        "--",
        "dd",
        "if=/dev/zero",
        "of=file",
        "bs=64k",
        "count=200",
        "status=none",
    )
    assert done.returncode == 0, done.stderr
    files = {path.name for path in workspace.root.glob("results/look/held/baseline/1/*")}
    assert any(name.startswith("perf") for name in files), files


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--variant", "dsik"], "did you mean 'disk'?"),
        (["--profiler", "perf-onpcu"], "did you mean 'perf-oncpu'?"),
        (["--profiler", "trace-chrome"], "target.yaml of bindfs does not describe it"),
    ],
)
def test_what_cannot_be_held_is_said(hold, words, said):
    done = hold(*words, "--", "true")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_that_does_not_mount_shows_its_last_words(workspace: Workspace, hold):
    (workspace.root / "targets").unlink()
    for name, text in {
        "bindfs": "name: bindfs\nbuild: {installed: {binary: sh}}\n"
        'mount: {argv: [sh, -c, "echo no such store >&2; exit 3", "{mountpoint}"]}\n',
        "directory": "name: directory\nbuild: {none: true}\n",
    }.items():
        (workspace.root / "targets" / name).mkdir(parents=True)
        (workspace.root / "targets" / name / "target.yaml").write_text(text)
    done = hold("--", "true")
    assert done.returncode == 1
    assert "no such store" in done.stderr
    assert "Traceback" not in done.stderr
