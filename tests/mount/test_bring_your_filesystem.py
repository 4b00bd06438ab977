"""docs/bring-your-filesystem.md leads to a verdict: on mergerfs, of which nothing in this repository knows."""

import csv
import re
import subprocess
from pathlib import Path

import pytest
from tests.mount.conftest import Workspace

pytestmark = [pytest.mark.mount, pytest.mark.slow]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bring-your-filesystem.md"
STRANGER = "mergerfs"


def example(name: str) -> str:
    """One YAML example of the page."""
    found = re.search(rf"<!-- example: {name} -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def room(workspace: Workspace) -> Workspace:
    """A workspace whose targets are its own."""
    shipped = (workspace.root / "targets").resolve()
    (workspace.root / "targets").unlink()
    (workspace.root / "targets").mkdir()
    for target in shipped.iterdir():
        (workspace.root / "targets" / target.name).symlink_to(target)
    return workspace


def fuselab(room: Workspace, *words: str, timeout: float = 600) -> str:
    """Run a verb, which must succeed; its output."""
    done = subprocess.run(
        [".venv/bin/fuselab", *words], cwd=room.root, text=True, stdin=subprocess.DEVNULL, timeout=timeout,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def rows(room: Workspace, experiment: str) -> list[dict[str, str]]:
    with (room.root / "results" / experiment / "comparisons.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]


def test_an_installed_program_with_the_yaml_of_the_page(room: Workspace):
    target = room.root / "targets" / STRANGER / "target.yaml"
    target.parent.mkdir()
    target.write_text(example("installed").replace("myfs", STRANGER))
    assert len(target.read_text().splitlines()) < 15
    fuselab(room, "new", "first", "--target", STRANGER)
    experiment = room.root / "experiments" / "first.yaml"
    quick = experiment.read_text().replace("runtime: 3s", "runtime: 1s").replace("blocks: 12", "blocks: 6")
    variant = "  baseline: {}\n  floor: {target: directory}\n  tuned: {options: {fuse: allow_other}}\n"
    experiment.write_text(quick.replace("  baseline: {}\n", variant))
    fuselab(room, "check", "first")
    assert "12 of 12" not in fuselab(room, "plan", "first")
    room.make("results/first/report.html")
    found = {row["variant"]: row for row in rows(room, "first")}
    assert set(found) == {"floor", "tuned", "control"}
    assert float(found["floor"]["ratio"]) > 1, "the bare disk is faster than a filesystem on top of it"
    assert all(row["verdict"] for row in found.values())
    assert (room.root / "results" / "first" / "report.html").stat().st_size > 10_000
    runs = room.runs("first")
    assert {run["mount"]["fstype"] for run in runs.values() if run["variant"] == "tuned"} == {
        f"fuse.{STRANGER}"
    }


def test_no_yaml_at_all(room: Workspace):
    said = fuselab(
        room, "try", "--blocks", "1", "--runtime", "1", "--", STRANGER, "-f", "{state}", "{mountpoint}"
    )
    name = f"try-{STRANGER}"
    assert (room.root / "results" / name / "report.html").is_file()
    assert f"results/{name}/report.html" in said
    [row] = rows(room, name)
    assert (row["baseline"], row["variant"]) == ("directory", STRANGER)
    profiles = {
        path.parent.name for path in (room.root / "results" / name).glob("processed/*/*/*/profile.json")
    }
    assert profiles == {"perf-oncpu", "perf-offcpu", "jemalloc-heap"}
    fuselab(room, "check", name)
