"""What a bisect measures and how it goes on: pairs of revisions as experiments of their own, searched by `first_bad`.

A pair is a commit against an earlier one, as an ordinary experiment, whose file lies with its results: Snakemake makes
its blocks, `fuselab run` its report. What is known is read from those blocks each time, and stands nowhere else.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fuselab import foreign, profilers
from fuselab.checksums import fault
from fuselab.commands.following import make
from fuselab.commands.sealed import for_editors
from fuselab.compare import counting, first_bad, signed_rank
from fuselab.compare.schedule import LOOK_LEVEL, LOOKS
from fuselab.errors import BisectError
from fuselab.experiment.fixed_work import WORK_BLOCKS
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.model import Variant
from fuselab.experiment.plan import Plan
from fuselab.experiment.planning import make_plan
from fuselab.files import read_json, rename
from fuselab.project import measured_file
from fuselab.records.comparison import Comparison
from fuselab.records.places import BLOCK, VERIFY, Home, Results, numbered
from fuselab.records.verified import Verified, read_verified
from fuselab.schema.diagnostics import flow, near
from fuselab.schema.errors import ExperimentErrors
from fuselab.workflow.estimate import parts_of
from fuselab.workflow.layout import Layout
from fuselab.workloads.run_metrics import samples

_KEPT = ("captures", "queries", "seed", "instrumentation", "cost", "verify", "network", "mounts", "state")
"""Keys of the experiment that its pairs have as they are written."""
_BEFORE_BUILD_S, _CALL_S = 60.0, 6.0
"""How long a build takes where none was made here, and a call of Snakemake beyond its jobs."""
_LAST_LINES = 15
_PREFIX = "bisect"
"""Of the names of pairs."""


@dataclass(frozen=True)
class Question:
    """What is bisected, of which experiment."""

    root: Path
    experiment: str
    data: Mapping[str, Any]
    """The experiment as it is written."""
    variant: Variant
    """How a revision is built and mounted."""
    workload: str
    looks_at: str
    figure: str
    """A metric, or a counter of fixed work."""
    counted: bool
    threshold: float
    commits: tuple[str, ...]
    """The good one, and all behind it up to the bad one."""
    subjects: tuple[str, ...]
    """The first lines of their messages."""


@dataclass(frozen=True)
class Pair:
    """A commit against an earlier one: an experiment."""

    root: Path
    plan: Plan
    before: str
    after: str

    @property
    def layout(self) -> Layout:
        return Layout(self.plan)

    @property
    def home(self) -> Home:
        """Relative to the project."""
        return self.layout.home

    @property
    def workload(self) -> str:
        return self.plan.experiment.workloads[0].name


@dataclass(frozen=True)
class Ends:
    """What the good and the bad end came to."""

    differ: bool
    words: str
    exact: bool
    """Whether every block said the same: then one tells all."""


@dataclass
class Bisect:
    """One search. Raises BisectError where something other than a commit is at fault."""

    question: Question
    stepped_over: dict[int, str] = field(default_factory=dict)
    """Commit -> why it could not be tested."""
    began: float = field(default_factory=time.monotonic)
    _pairs: dict[int, Pair] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Commits that may be the first with the change; they are numbered from 0 behind the good end."""
        return len(self.question.commits) - 1

    @property
    def bad(self) -> int:
        return self.count - 1

    @property
    def wobble(self) -> float:
        return 0.0 if self.question.counted else first_bad.WOBBLE

    def ends(self) -> Ends:
        """Measure the two ends until it is clear whether they differ."""
        return self._ends_counted() if self.question.counted else self._ends_timed()

    def _ends_timed(self) -> Ends:
        for look in LOOKS:
            found = signed_rank.infer(np.array(self._measure_end(look)), LOOK_LEVEL)
            low, high = (math.nan if end is None else math.expm1(end) for end in (found.low, found.high))
            matters = max(abs(low), abs(high)) > self.question.threshold
            differ = found.p <= 1 - LOOK_LEVEL
            if differ or not matters:
                break
        words = f"{math.expm1(found.estimate):+.1%} ({low:+.1%} to {high:+.1%}) in {look} blocks"
        if not matters:
            words += f", which is less than what matters ({self.question.threshold:.0%})"
        return Ends(differ and matters, words.replace("%", " %"), exact=False)

    def _ends_counted(self) -> Ends:
        self._measure_end(WORK_BLOCKS)
        runs = pd.DataFrame(self._figures(self.pair(self.bad)), columns=["before", "after"])
        threshold = self.question.threshold
        row = Comparison(
            self.question.experiment, self.question.workload, "", "", self.question.figure, blocks=len(runs)
        )
        (row,) = counting.corrected([counting.compared(row, runs, threshold)], threshold)
        before, after = (float(runs[side].median()) for side in ("before", "after"))
        exact = not (np.ptp(runs["before"]) or np.ptp(runs["after"]))
        words = f"{before:.6g} and {after:.6g} in {len(runs)} runs each: {row.verdict}"
        return Ends(row.differs and before != after, words, exact)

    def _measure_end(self, blocks: int) -> list[float]:
        self.measure(self.bad, blocks)
        if self.bad in self.stepped_over:
            raise BisectError(f"the bad end {self.stepped_over[self.bad]}: name a later or an earlier commit")
        return self.seen(self.bad)

    def belief(self) -> first_bad.Belief:
        seen = {i: self.seen(i) for i in range(self.count) if self._is_begun(i)}
        try:
            return first_bad.believe(self.count, seen, self.wobble)
        except ValueError:
            raise BisectError(
                f"the ends differ, but not in what is typical of them: {self.question.figure} cannot be searched"
            ) from None

    def next_step(self, belief: first_bad.Belief, exact: bool) -> first_bad.Step | None:
        most = 1 if exact else first_bad.MOST_BLOCKS
        allowed = {i: most - self._have(i) for i in range(self.count) if i not in self.stepped_over}
        block_s, build_s = self._seconds
        built = {path.name[:10] for path in Results(self.question.root).build("*").parent.glob("*/*")}

        def takes(commit: int, blocks: int) -> float:
            is_built = self.question.commits[commit + 1][:10] in built
            return _CALL_S + block_s * blocks + build_s * (not is_built)

        return first_bad.next_step(belief, allowed, takes, self.wobble)

    @cached_property
    def _seconds(self) -> tuple[float, float]:
        """How long a block takes, and what a commit costs before its first: its build, and verifying it."""
        parts = parts_of(self.pair(self.bad).plan, self.question.root)

        def longest(what: str, otherwise: float) -> float:
            return max(
                (p.seconds_each for p in parts if p.what == what and p.seconds_each), default=otherwise
            )

        block_s = longest("work blocks" if self.question.counted else "blocks", 10.0)
        return block_s, longest("build", _BEFORE_BUILD_S) + longest("verify", 0.0)

    def groups(self) -> list[range]:
        return first_bad.classes(self.count, self.stepped_over)

    def pair(self, commit: int) -> Pair:
        """The commit against the good end."""
        if commit not in self._pairs:
            self._pairs[commit] = write_pair(self.question, 0, commit + 1)
        return self._pairs[commit]

    def seen(self, commit: int) -> list[float]:
        """The differences measured of a commit: ln(ratio) of a metric, and of a counter the difference itself."""
        figures = self._figures(self.pair(commit))
        if self.question.counted:
            return [after - before for before, after in figures]
        return [math.log(after / before) for before, after in figures if before > 0 and after > 0]

    def measure(self, commit: int, blocks: int) -> None:
        """Make it so many blocks of a commit; one that cannot be tested is noted as stepped over."""
        pair, have = self.pair(commit), self._have(commit)
        if blocks > have:
            # From the first: they are not made in the order of their numbers, and a kill leaves gaps.
            folders = [self._blocks(pair) / numbered(number) for number in range(1, blocks + 1)]
            went_well = snakemake(self.question.root, pair, folders)
            if why := self._untestable(pair):
                self.stepped_over[commit] = why
                return
            if not went_well:
                raise BisectError("\n".join(["it could not be measured; the end of", *log_end(pair)]))
        if not self.seen(commit):
            self._require_figure(pair)
            self.stepped_over[commit] = f"has no {self.question.figure}: its runs failed"

    def _untestable(self, pair: Pair) -> str:
        """Why a commit is at fault that it was not measured; empty where it is not. Raises for the good end."""
        before, after = pair.plan.experiment.variants
        for variant in (before, after):
            why = self._unbuilt(pair, variant.name) or self._unverified(pair, variant.name)
            if why and variant is before:
                raise BisectError(f"the good end {why}: name another commit")
            if why:
                return why
        return ""

    def _unbuilt(self, pair: Pair, variant: str) -> str:
        """A build that failed has left its log; without one nobody has tried."""
        logs = Results(self.question.root).folder / "logs" / "builds"
        for folder in map(Path, pair.layout.builds([variant])):
            log = logs / folder.parent.name / f"{folder.name}.log"
            if not (self.question.root / folder).is_dir() and log.is_file():
                return f"does not build{_last(log)}"
        return ""

    def _unverified(self, pair: Pair, variant: str) -> str:
        for folder in pair.layout.verified(variant, pair.workload):
            path = self.question.root / folder / VERIFY
            if path.is_file() and (found := read_json(path, Verified)).status == "failed":
                return f"does not keep its data: {found.rate}"
        return ""

    def _require_figure(self, pair: Pair) -> None:
        """That runs have the figure at all, where there are runs."""
        names = {sample.metric for sample in self._samples(pair)}
        if names and self.question.figure not in names:
            alike = near(self.question.figure, sorted(names))
            raise BisectError(
                f"{self.question.figure} is not among what was measured under {self.question.workload}"
                + (f"; did you mean {alike}?" if alike else f": {', '.join(sorted(names))}")
            )

    def _figures(self, pair: Pair) -> list[tuple[float, float]]:
        """(before, after) of each block that has both."""
        names = [variant.name for variant in pair.plan.experiment.variants]
        by_block: dict[int, dict[str, float]] = {}
        for sample in self._samples(pair):
            if sample.metric == self.question.figure:
                by_block.setdefault(sample.block, {})[sample.variant] = sample.value
        return [(found[names[0]], found[names[1]]) for found in by_block.values() if len(found) == 2]

    def _samples(self, pair: Pair) -> Any:
        kinds = {pair.workload: pair.plan.experiment.workloads[0].kind}
        # A call that the change has brought is in no run of the commits before it.
        beside = self._measured(self.pair(self.bad)) if self.question.counted else []
        return samples(self._measured(pair), kinds, beside)

    def _measured(self, pair: Pair) -> list[Path]:
        return sorted(path.parent for path in (self.question.root / self._blocks(pair)).glob(f"*/{BLOCK}"))

    def _blocks(self, pair: Pair) -> Path:
        if not self.question.counted:
            return pair.home.blocks(pair.workload, pair.plan.timed_spec(pair.workload))
        if pair.workload not in pair.plan.work.workloads:
            why = pair.plan.work.left_out.get(pair.workload, "it does not run in a mount")
            raise BisectError(f"nothing is counted under {pair.workload}: {why}")
        return pair.home.work_blocks(pair.workload, pair.plan.work_spec(pair.workload))

    def _have(self, commit: int) -> int:
        """How many blocks of it are there."""
        if not self._is_begun(commit):
            return 0
        return len(list((self.question.root / self._blocks(self.pair(commit))).glob(f"*/{BLOCK}")))

    def _is_begun(self, commit: int) -> bool:
        return commit in self._pairs or (self.question.root / file_of(self.question, 0, commit + 1)).is_file()

    def blocks_of(self, commit: int) -> int:
        return self._have(commit)

    def described(self, commit: int) -> str:
        """`1a2b3c4d5e the first line of its message`."""
        revision = self.question.commits[commit + 1]
        return foreign.name(f"{revision[:10]} {self.question.subjects[commit + 1]}")

    def spent_s(self) -> float:
        return time.monotonic() - self.began


def name_of(question: Question, before: int, after: int) -> str:
    """Of the pair's experiment."""
    revisions = (question.commits[i][:10] for i in (before, after))
    return "-".join([_PREFIX, question.experiment[:30], *revisions])


def file_of(question: Question, before: int, after: int) -> Path:
    return measured_file(Path(), name_of(question, before, after))


def write_pair(question: Question, before: int, after: int) -> Pair:
    """The experiment of two commits, written beside its results and read back.

    Raises ExperimentErrors, with nothing left, where it cannot be measured.
    """
    name, path = name_of(question, before, after), file_of(question, before, after)
    there = question.root / path
    text = for_editors(question.root, path, pair_text(question, name, before, after))
    was_there = there.is_file()
    if not was_there or there.read_text() != text:
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)
    try:
        loaded = load_experiment(there, question.root)
    except ExperimentErrors:
        if not was_there:
            there.unlink()
            there.parent.rmdir()
        raise
    return Pair(question.root, make_plan(loaded), question.commits[before], question.commits[after])


def pair_text(question: Question, name: str, before: int, after: int) -> str:
    """A whole experiment: the variant at two revisions, under the one load, with all that looks at it."""
    old, new = (question.commits[i] for i in (before, after))
    data, figure = question.data, question.figure
    judged: dict[str, Any] = {"threshold": f"{question.threshold:.6%}"}
    if not question.counted:
        judged["primary"] = [figure]
    lines = [
        "# yaml-language-server: $schema=../../.fuselab/schema/experiment.schema.json",
        f"# Written by `fuselab bisect` of {question.experiment}, and written anew by its next call.",
        f"name: {name}",
        f"title: {flow(f'Does {figure} change with {new[:10]}, against {old[:10]}?')}",
        "variants:",
        *(f"  {flow(f'at-{rev[:10]}')}: {flow(_variant(question.variant, rev))}" for rev in (old, new)),
        "workloads:",
        f"  {flow(question.workload)}: {flow(data['workloads'][question.workload])}",
        f"blocks: {flow(data.get('blocks', 12) if question.counted else 'auto')}",
        f"compare: {flow(judged)}",
        *([f"guard: {{{figure}: 0}}"] if question.counted else []),
        f"profilers: {flow(_profilers(question))}",
        *(f"{key}: {flow(data[key])}" for key in _KEPT if key in data),
    ]
    return "\n".join(lines) + "\n"


def _variant(variant: Variant, rev: str) -> dict[str, Any]:
    """As a person would write it, with nothing left to inherit."""
    lists = {"features": list(variant.features), "rustflags": list(variant.rustflags)}
    maps = {"options": dict(variant.options), "env": dict(variant.env), "fio": dict(variant.fio)}
    more = {key: value for key, value in {"profile": variant.profile, **lists, **maps}.items() if value}
    return {"target": variant.target, "backend": variant.backend, "rev": rev, **more}


def _profilers(question: Question) -> list[Any]:
    """Those that look at such a load."""

    def fits(name: str) -> bool:
        return name not in profilers.REGISTRY or question.looks_at in profilers.REGISTRY[name].looks_at

    sets = [[each] if isinstance(each, str) else list(each) for each in question.data.get("profilers", ())]
    kept = [[name for name in each if fits(name)] for each in sets]
    return [each[0] if len(each) == 1 else each for each in kept if each]


def snakemake(root: Path, pair: Pair, files: list[Path]) -> bool:
    """Whether all of `files` were made; what Snakemake says goes to the pair's log."""
    log = root / _log(pair)
    log.parent.mkdir(parents=True, exist_ok=True)
    bring_verified(root, pair)
    first, *others = files
    with log.open("ab") as out:
        return make(root, first, *map(str, others), output=out.fileno()) == 0


def bring_verified(root: Path, pair: Pair) -> None:
    """Copy the verifying runs of other pairs that would be made again for this one: each revision is verified once.

    The spec in their path holds all that decides such a run. One that failed is not believed twice: it is made anew.
    """
    for folder in map(Path, pair.layout.verified(workload=pair.workload)):
        if (root / folder).exists():
            continue
        below = folder.relative_to(pair.home.folder)
        for found in sorted((root / folder).parents[3].glob(f"{_PREFIX}-*/{below}")):
            if fault(found) is None and read_verified(found).status == "ok":
                half = root / folder.with_name(f".{folder.name}.half")
                shutil.rmtree(half, ignore_errors=True)  # of a bisect that was killed
                shutil.copytree(found, half)
                rename(half, root / folder)
                break


def log_end(pair: Pair) -> Iterator[str]:
    """The log's path, and its last lines."""
    path = pair.root / _log(pair)
    yield f"{path}:"
    yield from foreign.last_lines(path.read_bytes(), _LAST_LINES)


def _log(pair: Pair) -> Path:
    return pair.home.folder / "logs" / "bisect.log"


def _last(log: Path) -> str:
    """`: error: ...`, as far as a log has a last line."""
    lines = foreign.last_lines(log.read_bytes(), 1) if log.is_file() else []
    return f": {lines[0].strip()}" if lines else ""
