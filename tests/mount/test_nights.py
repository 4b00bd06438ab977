"""An experiment measured on one night after the other: each anew, all of them kept, one page of them."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fuselab.checksums import fault
from fuselab.records.places import BLOCK, Home

from .conftest import Workspace
from .processes import eventually, naming

pytestmark = [pytest.mark.mount, pytest.mark.slow]

NIGHTS = ("2026-03-01", "2026-03-02")
TARGET = """
name: versioned
build:
  command: {{source: {source}, argv: [cp, mount.sh, made.sh], binary: made.sh}}
mount: {{argv: ["{{binary}}", "{{state}}", "{{mountpoint}}"]}}
"""
SCRIPT = '#!/bin/sh\nexec bindfs -f {options} "$1" "$2"\n'
EXPERIMENT = """
title: does it stay as fast as the last release?
target: versioned
variants:
  release: {rev: v1}
  main: {rev: main}
workloads: {seq: {fio: {rw: write, bs: 64k, size: 4m, runtime: 300ms}}}
blocks: 1
compare: {primary: [write.bw]}
"""
PAGE = "results/nights/history.html"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of what is measured, its release tagged."""
    source = tmp_path_factory.mktemp("source")
    git(source, "init", "--quiet", "--initial-branch", "main")
    commit(source, options="")
    git(source, "tag", "v1")
    return source


@pytest.fixture(scope="module")
def nights(shared_workspace: Workspace, source: Path) -> Path:
    """`results/nights` after two nights, with a commit between them that makes writes slow."""
    targets = shared_workspace.root / "targets"
    shipped = targets.resolve()
    targets.unlink()
    targets.mkdir()
    for path in shipped.iterdir():
        (targets / path.name).symlink_to(path)
    (targets / "versioned").mkdir()
    (targets / "versioned/target.yaml").write_text(TARGET.format(source=source))
    shared_workspace.experiment("nights", EXPERIMENT)
    for night, options in zip(NIGHTS, ("", "--write-rate=4M"), strict=True):
        if options:
            commit(source, options)
        done = shared_workspace.snakemake(PAGE, "--config", f"night={night}")
        assert done.returncode == 0, done.stdout[-3000:]
    return shared_workspace.root / "results/nights"


def commit(source: Path, options: str, script: str = SCRIPT) -> None:
    (source / "mount.sh").write_text(script.format(options=options))
    (source / "mount.sh").chmod(0o755)
    git(source, "add", ".")
    git(
        source,
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.org",
        "commit",
        "--quiet",
        "--message",
        options or "as it was",
    )


def set_the_clock_back(root: Path) -> None:
    """All that was made so far is of the day after tomorrow, what the user has written with it."""
    later = time.time() + 2 * 86_400
    for folder in ("results", ".snakemake", "experiments", "targets/versioned"):
        for path in [root / folder, *(root / folder).rglob("*")]:
            os.utime(path, (later, later), follow_symlinks=False)


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *argv], check=True, capture_output=True, text=True
    ).stdout


def rows(nights: Path) -> list[dict[str, str]]:
    with (nights / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_night_is_measured_anew_and_kept(nights: Path) -> None:
    blocks = {block.parent.name for block in nights.glob("blocks/seq/*/001")}
    assert len(blocks) == 2, "offsets and orders of every night are its own"
    kept = [json.loads((nights / "history" / night / "plan.json").read_text()) for night in NIGHTS]
    assert {plan["workloads"][0]["spec"] for plan in kept} == blocks
    assert kept[0]["commands"] == ["snakemake --cores 4 results/nights/report.html --config night=2026-03-01"]


def test_a_commit_of_what_is_followed_is_no_new_era_and_is_what_ran(nights: Path) -> None:
    first, second = rows(nights)
    assert [first["night"], second["night"]] == list(NIGHTS)
    assert first["revision"] != second["revision"]
    # One short block a night, beside other tests: only what is far from 1 says anything.
    assert float(second["ratio"]) < 0.3 * float(first["ratio"]), "what was committed between them runs"
    assert (first["era"], second["era"]) == ("1", "1"), (
        "one reference, one load, one machine, whatever the seed"
    )
    assert "too few nights" in (nights / "history.html").read_text()


def test_a_night_that_is_kept_is_not_made_again(nights: Path, shared_workspace: Workspace) -> None:
    kept = (nights / "history" / NIGHTS[0] / "summary.json").read_bytes()
    asked = shared_workspace.snakemake(PAGE, "--config", f"night={NIGHTS[0]}")
    assert asked.returncode == 0, asked.stdout[-3000:]
    assert "Nothing to be done" in asked.stdout
    assert (nights / "history" / NIGHTS[0] / "summary.json").read_bytes() == kept


def test_the_verb_for_cron_measures_a_night_and_says_what_changed(
    nights: Path, shared_workspace: Workspace
) -> None:
    """One block decides nothing, so there is nothing to say of it; and nothing to do where the night is kept."""
    for _ in range(2):
        assert night_ends(shared_workspace, "2026-03-03") == (0, "", "")
    assert [row["night"] for row in rows(nights)] == [*NIGHTS, "2026-03-03"]
    assert "night of 2026-03-03" in (nights / "logs/night-2026-03-03.log").read_text()


def test_a_night_goes_on_wherever_it_is_killed(nights: Path, shared_workspace: Workspace) -> None:
    """All of it at once, while it measures, judges and keeps, with a clock that is set back in between; in the end it
    is kept once, as it was measured."""
    home, night = Home(nights), "2026-03-04"
    before = {*nights.glob(f"blocks/seq/*/001/{BLOCK}")}

    def block() -> Path | None:
        return next(iter({*nights.glob(f"blocks/seq/*/001/{BLOCK}")} - before), None)

    judged = date_of(home.comparisons)
    moments: dict[str, Callable[[], bool]] = {
        "it measures": lambda: any((shared_workspace.root / "results/state").glob("fuselab-*/data/*")),
        "its block is there": lambda: block() is not None,
        "it was judged": lambda: date_of(home.comparisons) not in (judged, 0),
        "it is kept": lambda: home.night(night).folder.exists(),
    }
    measured = []
    for what, is_so in moments.items():
        kill_when(shared_workspace, night, what, is_so)
        measured += [path.stat().st_ino for path in [block()] if path]
        if len(measured) == 1:
            set_the_clock_back(shared_workspace.root)
            judged = date_of(home.comparisons)
    assert night_ends(shared_workspace, night) == (0, "", "")
    last = block()
    assert last is not None
    assert {*measured} == {last.stat().st_ino}, "what was whole was not measured again"
    assert fault(home.night(night).folder) is None
    assert [row["night"] for row in rows(nights)].count(night) == 1


def test_a_doubled_night_is_measured_once_and_one_that_was_killed_is_not_missed(
    nights: Path, shared_workspace: Workspace
) -> None:
    """A second timer while the first measures, which is killed then; the next call comes two days later."""
    given_up, next_one = "2026-03-05", "2026-03-07"

    def doubled() -> bool:
        if not any((shared_workspace.root / "results/state").glob("fuselab-*/data/*")):
            return False
        code, said, told = night_ends(shared_workspace, given_up)
        assert (code, said) == (1, "")
        assert re.fullmatch(
            r"fuselab: a night of nights is being measured by process \d+: nothing was done\n", told
        )
        return True

    kill_when(shared_workspace, given_up, "it measures", doubled)
    assert night_ends(shared_workspace, next_one) == (0, "", "")
    assert not {given_up, "2026-03-06"} & {row["night"] for row in rows(nights)}
    assert [row["night"] for row in rows(nights)][-1] == next_one
    assert not [*(shared_workspace.root / "results/state").glob("fuselab-*")], "the killed one left its state"
    assert not [*(nights / "history").glob(".*")]
    seen = {json.loads(path.read_text())["night"] for path in nights.glob("history/*/plan.json")}
    assert seen == {row["night"] for row in rows(nights)}


def test_a_night_before_those_that_are_kept_stands_before_them(
    nights: Path, shared_workspace: Workspace
) -> None:
    """As after a clock that was ahead for some nights: it is compared with what was before it by its own date."""
    kept = {path: path.read_bytes() for path in nights.glob("history/*/*") if path.is_file()}
    assert night_ends(shared_workspace, "2026-02-20") == (0, "", "")
    assert [row["night"] for row in rows(nights)] == sorted(row["night"] for row in rows(nights))
    assert rows(nights)[0]["night"] == "2026-02-20"
    assert {path: path.read_bytes() for path in kept} == kept


def test_what_cannot_run_is_told_by_the_exit_code_and_well_again_ends_well(
    nights: Path, shared_workspace: Workspace, source: Path
) -> None:
    """A variant that does not mount has failed (2); where what all of it needs is not there, nothing ran (1)."""
    commit(source, "", "#!/bin/sh\necho no store to be found >&2\nexit 3\n")
    code, said, told = night_ends(shared_workspace, "2026-03-08")
    assert (code, told) == (2, "")
    assert said.startswith("changed: ")
    assert "`main` failed" in said
    assert said.endswith(f"all nights: {nights / 'history.html'}\n")

    commit(source, "")
    moved = source.with_name("elsewhere")
    source.rename(moved)
    code, said, told = night_ends(shared_workspace, "2026-03-09")
    moved.rename(source)
    assert (code, said) == (1, "")
    assert str(source) in told
    assert "2026-03-09" not in {row["night"] for row in rows(nights)}

    code, said, told = night_ends(shared_workspace, "2026-03-09")
    assert (code, told) == (0, "")
    assert said.startswith("changed: "), "it does not fail any more"


def night_ends(workspace: Workspace, night: str) -> tuple[int, str, str]:
    """A night's call: its exit code, and what it says on both channels."""
    done = subprocess.run(
        night_call(night), cwd=workspace.root, env=workspace.env, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def date_of(path: Path) -> int:
    """In ns; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def night_call(night: str) -> list[str]:
    return [".venv/bin/fuselab", "night", "nights", "--date", night]


def kill_when(workspace: Workspace, night: str, what: str, is_so: Callable[[], bool]) -> None:
    """Start a night, and end it with all of its processes by SIGKILL as soon as something is so."""
    child = subprocess.Popen(
        night_call(night), cwd=workspace.root, env=workspace.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        while not is_so():
            assert child.poll() is None, f"the night ended before {what}"
            time.sleep(0.005)
    finally:
        for process in [child.pid, *(each.pid for each in naming(workspace.root))]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        child.wait()
    eventually(lambda: not naming(workspace.root), "processes of a killed night are left")


@pytest.mark.usefixtures("nights")
def test_without_a_night_nothing_is_measured(shared_workspace: Workspace) -> None:
    asked = shared_workspace.snakemake(PAGE)
    assert asked.returncode == 0, asked.stdout[-3000:]
    assert "Nothing to be done" in asked.stdout


@pytest.mark.usefixtures("nights")
def test_a_night_that_is_over_is_not_made_up(shared_workspace: Workspace) -> None:
    asked = shared_workspace.snakemake("results/nights/history/2026-02-28")
    assert asked.returncode != 0
    assert "MissingRuleException" in asked.stdout
