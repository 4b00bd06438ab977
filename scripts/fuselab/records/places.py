"""Every path under `results/`: where each thing lies that is made. Names alone; nothing here looks at a disk.

Each function takes the names of what it is asked for. Given `*` it answers with a glob, given `{variant}` with the
pattern of a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

RUN = "run.json"
ATTEMPT = "attempt.json"
"""What a run that failed leaves instead of RUN."""
WORK_RUN = "work-run.json"
"""What a run of fixed work leaves instead of RUN: whoever reads RUN looks for a load that lasted."""
BLOCK = "block.json"
CAPTURE = "capture.json"
VERIFY = "verify.json"
WORK = "work.json"
"""Beside WORK_RUN: what was counted."""
BUILD = "build.json"
PROFILE = "profile.json"
DIFF = "diff.json"
ACCOUNT = "blindspots.parquet"
"""Where the time of a cell is."""
ACCOUNT_WORDS = "blindspots.json"
MOVERS = "movers.csv"
FOLDED = "folded.txt"
FLAMEGRAPH = "flamegraph.svg"
TABLE = "table.parquet"
DIFF_FOLDED = "diff.folded"
DIFF_FLAMEGRAPH = "diff.svg"
WORKTREE = "worktree.diff"
"""Beside BUILD: what the source of a build had that no commit has."""


def numbered(number: int) -> str:
    """The folder of a block, a capture or a look."""
    return f"{number:03d}"


class Place(Protocol):
    @property
    def folder(self) -> Path: ...


@dataclass(frozen=True)
class In:
    """What lies in the folder of a place under one name."""

    name: str

    def __get__(self, place: Place, owner: type) -> Path:
        return place.folder / self.name


@dataclass(frozen=True)
class Home:
    """`results/<experiment>`. `Home(Path())` gives paths relative to it. A cell is a variant under a workload."""

    folder: Path
    plan = In("plan.json")
    metrics = In("metrics.csv")
    comparisons = In("comparisons.csv")
    costs = In("costs.csv")
    report = In("report.html")
    summary = In("summary.json")
    summary_text = In("summary.md")
    bundle = In("bundle.zip")
    reproduced = In("reproduced.html")
    history_page = In("history.html")
    history_table = In("history.csv")
    history = In("history")
    history_differences = In("history-diffs")
    """Between the nights on either side of a change of level: made again with the page."""
    attempts = In("attempts")
    """Numbered runs of measurements that are not whole, failed, or were set aside."""

    def night(self, night: str) -> Home:
        """What is kept of a night (`YYYY-MM-DD`): files of the same names."""
        return Home(self.history / night)

    def unfinished_night(self, night: str) -> Path:
        """Where a night is put together before it is kept."""
        return self.history / f".{night}.half"

    def night_log(self, night: str) -> Path:
        """What `fuselab night` was told while it measured."""
        return self.folder / "logs" / f"night-{night}.log"

    def between_nights(self, variant: str) -> Home:
        """What moved in `variant` from one night to another, whose names take the place of variants."""
        return Home(self.history_differences / variant)

    def mount(self, variant: str, profilers: str) -> Path:
        return self.folder / "mounts" / f"{variant}.{profilers}.json"

    def load(self, load: str) -> Path:
        """The job file of a workload, or `<workload>.<variant>` of one that changes a setting of it."""
        return self.folder / "loads" / f"{load}.fio"

    def verified(self, variant: str, spec: str) -> Path:
        """Folder of the verifying run."""
        return self.folder / "verify" / variant / spec

    def blocks(self, workload: str, spec: str) -> Path:
        """Folder of all timed blocks; each has a folder for each variant's run."""
        return self.folder / "blocks" / workload / spec

    def block(self, workload: str, spec: str, number: str) -> Path:
        return self.blocks(workload, spec) / number

    def cost_blocks(self, workload: str, spec: str) -> Path:
        """Folder of the blocks that measure what profiling costs."""
        return self.folder / "costs" / workload / spec

    def cost_block(self, workload: str, spec: str, number: str) -> Path:
        return self.cost_blocks(workload, spec) / number

    def work_blocks(self, workload: str, spec: str) -> Path:
        """Folder of the blocks of fixed work, which is counted and not timed."""
        return self.folder / "work" / workload / spec

    def work_block(self, workload: str, spec: str, number: str) -> Path:
        return self.work_blocks(workload, spec) / number

    def looks(self, workload: str, spec: str) -> Path:
        return self.folder / "looks" / workload / spec

    def look(self, workload: str, spec: str, number: str) -> Path:
        """What was decided after the block `number`."""
        return self.looks(workload, spec) / f"{number}.json"

    def captures(self, variant: str, workload: str, profilers: str, spec: str) -> Path:
        return self.folder / "captures" / variant / workload / profilers / spec

    def capture(self, variant: str, workload: str, profilers: str, spec: str, number: str) -> Path:
        return self.captures(variant, workload, profilers, spec) / number

    def cell(self, variant: str, workload: str) -> Path:
        """Folder of all that is derived from the captures of a cell."""
        return self.folder / "processed" / variant / workload

    def processed(self, variant: str, workload: str, profiler: str) -> Path:
        return self.cell(variant, workload) / profiler

    def queries(self, variant: str, workload: str) -> Path:
        return self.cell(variant, workload) / "queries.json"

    def blindspots(self, variant: str, workload: str) -> Path:
        """Where the time of a cell is, as a table."""
        return self.cell(variant, workload) / ACCOUNT

    def blindspots_text(self, variant: str, workload: str) -> Path:
        return self.cell(variant, workload) / ACCOUNT_WORDS

    def diff(self, variant: str, baseline: str, workload: str, profiler: str) -> Path:
        return self.folder / "diffs" / f"{variant}-vs-{baseline}" / workload / profiler

    def attempts_of(self, *words: str) -> Path:
        return self.attempts / ".".join(words)

    def held(self, variant: str) -> Path:
        """Runs of `fuselab shell`, numbered."""
        return self.folder / "held" / variant


@dataclass(frozen=True)
class Results:
    """`results/` of the checkout at `root`; without one relative to it, as rules name their files."""

    root: Path = Path()
    report = In("report.html")
    """The front page."""
    state = In("state")
    """Where runs keep what they mount, unless the experiment names another folder."""
    builds = In("builds")

    @property
    def folder(self) -> Path:
        return self.root / "results"

    def state_of(self, named: str | None) -> Path:
        """Where runs keep what they mount, absolute: the folder that the experiment has `named`, or our own."""
        return (Path(named).expanduser() if named else self.state).resolve()

    def build(self, folder: str) -> Path:
        """Of a build's `<target>/<build>`."""
        return self.builds / folder

    def experiment(self, name: str) -> Home:
        return Home(self.folder / name)


def home_of(path: Path) -> Home:
    """Of whatever experiment the relative `path` (`results/<experiment>/...`) belongs to."""
    return Home(Path(*path.parts[:2]))


def is_summed(path: Path) -> bool:
    """Whether the relative `path` is the folder of a measurement or a build, which is finished with SHA256SUMS."""
    here = home_of(path)
    summed = (
        here.block("*", "*", "*"),
        here.cost_block("*", "*", "*"),
        here.work_block("*", "*", "*"),
        here.capture("*", "*", "*", "*", "*"),
        here.verified("*", "*"),
        Results().build("*/*"),
    )
    return any(len(path.parts) == len(one.parts) and path.match(str(one)) for one in summed)
