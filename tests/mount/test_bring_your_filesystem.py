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
QUICKER = {
    "  baseline: {}\n": "  baseline: {options: {fuse: allow_other}}\n  floor: {target: directory}\n",
    "control: true": "control: false",
    "runtime: 3s": "runtime: 1s",
    "blocks: 12": "blocks: 6",
    "profilers: [perf-oncpu, perf-offcpu, fuse-requests, syscalls, jemalloc-heap]": "profilers: [perf-oncpu]",
}
"""What `fuselab new` writes, and what this test makes of it."""


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
        [".venv/bin/fuselab", *words], cwd=room.root, env=room.env, text=True, timeout=timeout, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def rows(room: Workspace, experiment: str) -> list[dict[str, str]]:
    with (room.root / "results" / experiment / "comparisons.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]


@pytest.mark.alone
def test_an_installed_program_with_the_yaml_of_the_page(room: Workspace):
    target = room.root / "targets" / STRANGER / "target.yaml"
    target.parent.mkdir()
    target.write_text(example("installed").replace("myfs", STRANGER))
    assert len(target.read_text().splitlines()) < 15
    fuselab(room, "new", "first", "--target", STRANGER)
    experiment = room.root / "experiments" / "first.yaml"
    text = experiment.read_text()
    for as_written, quicker in QUICKER.items():
        assert as_written in text
        text = text.replace(as_written, quicker)
    experiment.write_text(text)
    fuselab(room, "check", "first")
    assert "0 of 6" in fuselab(room, "plan", "first")
    done = room.snakemake("results/first/report.html", timeout=1200)
    assert done.returncode == 0, done.stdout[-4000:]
    [floor] = rows(room, "first")
    assert (floor["baseline"], floor["variant"], floor["blocks"]) == ("baseline", "floor", "6")
    assert float(floor["ratio_low"]) > 1, "the bare disk is faster than a filesystem on top of it"
    # Six blocks decide at 95 % only if they all agree, which a busy machine may prevent.
    assert floor["verdict"].startswith(("faster", "inconclusive"))
    assert (room.root / "results" / "first" / "report.html").stat().st_size > 10_000
    mounted = [run for run in room.runs("first").values() if run["variant"] == "baseline"]
    assert {run["mount"]["fstype"] for run in mounted} == {f"fuse.{STRANGER}"}
    assert all("allow_other" in run["argv"] for run in mounted)


def test_no_yaml_at_all(room: Workspace):
    said = fuselab(
        room, "try", "--blocks", "1", "--runtime", "1", "--", STRANGER, "-f", "{state}", "{mountpoint}"
    )
    name = f"try-{STRANGER}"
    assert (room.root / "results" / name / "report.html").is_file()
    assert f"results/{name}/report.html" in said
    assert "block 1 of 1 under seq-write" in said, "it says how far it is, as `fuselab run` does"
    [row] = rows(room, name)
    assert (row["baseline"], row["variant"]) == ("directory", STRANGER)
    profiles = {
        path.parent.name for path in (room.root / "results" / name).glob("processed/*/*/*/profile.json")
    }
    assert profiles == {"perf-oncpu", "perf-offcpu", "fuse-requests", "syscalls", "jemalloc-heap"}
    fuselab(room, "check", name)


def test_a_filesystem_that_can_only_be_read(room: Workspace):
    target = room.root / "targets" / "frozen" / "target.yaml"
    target.parent.mkdir()
    text = example("read-only").replace("[mksquashfs", "[cp, -r").replace("{state}/image", "{state}/tree-2")
    assert "mksquashfs" not in text
    text = text.replace('["{binary}", -f', '["{binary}", -r, -f')
    target.write_text("name: frozen\nbuild: {installed: {binary: bindfs}}\n" + text)
    fuselab(room, "new", "still", "--target", "frozen")
    experiment = room.root / "experiments" / "still.yaml"
    text = re.sub("\nprofilers: .*", "\nprofilers: [perf-oncpu]", experiment.read_text()).replace(
        "blocks: 12", "blocks: 1"
    )
    load = "  read: {fio: {rw: read, bs: 128k, size: 64m, filename: data}}\n"
    experiment.write_text(text.replace("workloads:\n", "workloads:\n" + load))
    fuselab(room, "check", "still")
    room.make("results/still/report.html")
    runs = room.runs("still").values()
    assert {run["purpose"] for run in runs} == {"timed", "capture"}, "nothing is verified by writing"
    assert {run["status"] for run in runs} <= {"ok", "void"}, "void: the machine was busy"
    assert all(run["mount"]["options"].startswith("ro,") for run in runs)
    [read] = {run["build"] for run in runs}
    assert read.startswith("frozen/installed-")
