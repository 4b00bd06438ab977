"""A place to run whole experiments in: the checkout's code beside experiments and results of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fuselab.measuring.attempts import NO_PATIENCE

LINKED = ("Snakefile", "rules", "scripts", "targets", "services", "profiles", "envs", ".venv")


@dataclass(frozen=True)
class Workspace:
    """A folder that looks like a checkout. Builds are shared with other tests through the cache folder."""

    root: Path
    patient: bool = False
    """Whether runs wait for a quiet machine: where figures are judged, and no other test runs beside."""

    def experiment(self, name: str, text: str) -> Path:
        """Nothing is counted beside what is timed, unless `text` says so: it would take longer than most tests."""
        path = self.root / "experiments" / f"{name}.yaml"
        counted = "" if "\nwork: " in f"\n{text}" else "\nwork: false\n"
        path.write_text(f"name: {name}\n{text}{counted}")
        return path

    def target(self, name: str, text: str) -> None:
        """A target beside those of the checkout."""
        folder = self.root / "targets"
        if folder.is_symlink():
            theirs = folder.resolve()
            folder.unlink()
            folder.mkdir()
            for each in theirs.iterdir():
                (folder / each.name).symlink_to(each)
        (folder / name).mkdir()
        (folder / name / "target.yaml").write_text(f"name: {name}\n{text}")

    @property
    def env(self) -> dict[str, str]:
        """Of whatever runs in this folder."""
        return {**os.environ, **({} if self.patient else {NO_PATIENCE: "1"})}

    def argv(self, *words: str) -> list[str]:
        return [".venv/bin/snakemake", "--cores", "2", *words]

    def snakemake(self, *words: str, timeout: float = 840) -> subprocess.CompletedProcess[str]:
        """Run Snakemake to its end; the caller looks at the exit code."""
        return subprocess.run(
            self.argv(*words), cwd=self.root, env=self.env, text=True, stdin=subprocess.DEVNULL, timeout=timeout,
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start Snakemake, in a session of its own; the caller ends it."""
        return subprocess.Popen(
            self.argv(*words), cwd=self.root, env=self.env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def make(self, *words: str) -> str:
        """Run Snakemake, which must succeed; its output."""
        done = self.snakemake(*words)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def runs(self, experiment: str) -> dict[Path, dict[str, Any]]:
        """Every run.json of an experiment that is in its place."""
        base = self.root / "results" / experiment
        paths = sorted(p for p in base.glob("**/run.json") if "attempts" not in p.parts)
        return {path: json.loads(path.read_text()) for path in paths}

    def rows(self, experiment: str) -> list[dict[str, str]]:
        """Of comparisons.csv."""
        with (self.root / "results" / experiment / "comparisons.csv").open() as file:
            return list(csv.DictReader(file))

    def counters(self, experiment: str) -> dict[tuple[str, str], set[float]]:
        """Every value of each counter of metrics.csv, by (metric, variant)."""
        figures: dict[tuple[str, str], set[float]] = defaultdict(set)
        with (self.root / "results" / experiment / "metrics.csv").open() as file:
            for row in csv.DictReader(file):
                if row["metric"].startswith("work."):
                    figures[row["metric"], row["variant"]].add(float(row["value"]))
        return dict(figures)

    def comparisons(self, experiment: str) -> dict[tuple[str, str], dict[str, str]]:
        """Rows of comparisons.csv by (variant, metric)."""
        return {(row["variant"], row["metric"]): row for row in self.rows(experiment)}


@pytest.fixture(scope="session")
def checkout_root() -> Path:
    return Path(__file__).resolve().parents[2]


def new_workspace(root: Path, checkout_root: Path, *, patient: bool = False) -> Workspace:
    for name in LINKED:
        (root / name).symlink_to(checkout_root / name)
    (root / "experiments").mkdir()
    (root / "config.yaml").write_text("experiments: []\n")
    return Workspace(root, patient)


@pytest.fixture
def workspace(request: pytest.FixtureRequest, tmp_path: Path, checkout_root: Path) -> Workspace:
    return new_workspace(tmp_path, checkout_root, patient=_alone(request))


@pytest.fixture(scope="module")
def shared_workspace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, checkout_root: Path
) -> Workspace:
    """One for a module whose tests only look at what one call has made."""
    return new_workspace(tmp_path_factory.mktemp("workspace"), checkout_root, patient=_alone(request))


def _alone(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("alone") is not None


def fuse_mounts() -> set[str]:
    """Mounts of this mount namespace, to be the same before and after."""
    return {line.split(" - ")[0] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
