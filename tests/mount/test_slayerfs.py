"""The target slayerfs, whose source is not here: what is said then, and what it does with a source that is.

The stand-in is demofs under slayerfs's names and options, in a git repository of its own with two revisions.
"""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace

pytestmark = pytest.mark.mount

EXPERIMENT = """\
target: slayerfs
variants:
  old: {rev: slow}
  mine: {}
workloads:
  seq: {fio: {rw: write, bs: 128k, size: 16m, runtime: 500ms}}
blocks: 6
"""
OPTIONS = """\
    #[arg(long)]
    pub meta_url: Option<String>,
    #[arg(long)]
    pub chunk_size: Option<u64>,
    #[arg(long)]
    pub block_size: Option<u64>,

"""


def stand_in(demofs: Path, folder: Path) -> Path:
    """A checkout that builds a `slayerfs`: the branch `slow` waits in each write, the worktree does not."""
    shutil.copytree(demofs, folder, ignore=shutil.ignore_patterns("target", "target.yaml", "README.md"))
    (folder / "benches/demofs_bench.rs").rename(folder / "benches/slayerfs_bench.rs")
    for path in [*folder.rglob("*.rs"), folder / "Cargo.toml", folder / "Cargo.lock"]:
        text = path.read_text()
        path.write_text(text.replace("demofs", "slayerfs").replace("DEMOFS", "SLAYERFS"))
    cli, meta = folder / "src/cli.rs", folder / "src/meta/mod.rs"
    text = cli.read_text().replace('#[arg(long, value_name = "DIR")]', '#[arg(long = "data-dir")]')
    text = text.replace("    /// Let other users in;", OPTIONS + "    /// Let other users in;")
    meta.write_text(meta.read_text().replace("    Sqlite,", '    #[value(alias = "sqlx")]\n    Sqlite,'))
    knob = 'value_name = "KNOB=VALUE"'
    assert knob in text
    cli.write_text(text.replace(knob, f'{knob}, default_value = "extend-wait=4ms"'))
    git(folder, "init", "-q", "-b", "slow")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "slow")
    cli.write_text(text)
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    ).stdout


def run(workspace: Workspace, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    around = {name: value for name, value in workspace.env.items() if name != "SLAYERFS_SOURCE"}
    return subprocess.run(
        argv, cwd=workspace.root, env=around | env, text=True, stdin=subprocess.DEVNULL, timeout=900, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize(
    "argv",
    [
        ["fuselab", "check", "slayer"],
        ["fuselab", "plan", "slayer"],
        ["fuselab", "hold", "slayer", "--", "true"],
        ["snakemake", "--cores", "1", "results/slayer/report.html"],
    ],
    ids=lambda argv: argv[0] + " " + argv[1].strip("-"),
)
def test_without_its_source_the_variable_to_set_is_named(workspace: Workspace, argv: list[str]):
    workspace.experiment("slayer", EXPERIMENT)
    done = run(workspace, f".venv/bin/{argv[0]}", *argv[1:])
    assert done.returncode == 1
    assert "experiments/slayer.yaml:2:9: target: the source of 'slayerfs' is not known" in done.stdout
    assert "export SLAYERFS_SOURCE=/path/to/slayerfs" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (workspace.root / "results").exists(), "nothing is half done"


def test_a_source_that_is_not_there_is_named(workspace: Workspace):
    workspace.experiment("slayer", EXPERIMENT)
    done = run(workspace, ".venv/bin/fuselab", "check", "slayer", SLAYERFS_SOURCE="/no/such/place")
    assert done.returncode == 1
    assert "no folder /no/such/place (SLAYERFS_SOURCE)" in done.stdout


@pytest.mark.slow
def test_two_revisions_of_one_source_are_compared_and_the_checkout_is_left_alone(
    workspace: Workspace, tmp_path: Path, checkout_root: Path
):
    source = stand_in(checkout_root / "targets/demofs", tmp_path / "slayer-source")
    before = git(source, "status", "--porcelain"), git(source, "diff"), git(source, "worktree", "list")
    workspace.experiment("slayer", EXPERIMENT)
    done = run(
        workspace, ".venv/bin/snakemake", "--cores", "2", "results/slayer/report.html", SLAYERFS_SOURCE=str(source)
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    after = git(source, "status", "--porcelain"), git(source, "diff"), git(source, "worktree", "list")
    assert after == before
    commit = git(source, "rev-parse", "slow").strip()
    builds = {path.parent.name: path for path in workspace.root.glob("results/builds/slayerfs/*/build.json")}
    assert sorted(name.split("-")[0] for name in builds) == [commit[:10], "worktree"]
    [diff] = workspace.root.glob("results/builds/slayerfs/worktree-*/worktree.diff")
    assert '-    #[arg(long, value_name = "KNOB=VALUE", default_value' in diff.read_text()
    with (workspace.root / "results/slayer/comparisons.csv").open() as file:
        [row] = [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]
    assert (row["baseline"], row["variant"]) == ("old", "mine")
    assert float(row["ratio_low"]) > 1, "each write of the old revision waits 4 ms"
