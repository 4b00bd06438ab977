"""What the Snakefile asks: experiments, what lies where, and what jobs are told. Rules hold no logic of their own.

Experiments are read when a rule first asks for one. A broken one ends Snakemake with its errors, and nothing
else: it stops only those who wanted it.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from fuselab.code import PACKAGE, step_code
from fuselab.compare.schedule import NIGHT
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.plan import Plan
from fuselab.experiment.planning import make_plan
from fuselab.files import sha256, unusable
from fuselab.measuring.anew import failed
from fuselab.measuring.aside import doubtful, mixed, set_aside
from fuselab.project import experiment_file, experiments
from fuselab.records.places import Home, Results
from fuselab.schema.errors import ExperimentErrors
from fuselab.system.namespaces import PARENT, outlive_parent
from fuselab.targets.model import Target
from fuselab.workflow.last_words import last_words
from fuselab.workflow.layout import Layout
from fuselab.workflow.nights import of_night
from fuselab.workflow.parameters import Building, Parameters
from fuselab.workflow.requested import Requested
from fuselab.workflow.screen_lines import tidy_screen
from fuselab.workflow.signals import pass_on_signals
from fuselab.workflow.stale_locks import clear_up
from fuselab.workflow.telling import is_followed, tell_follower
from fuselab.workflow.time_left import tell_time_left

_LAST_MOMENTS_S = 60.0
"""For a job of a cluster, once its shell was ended. Snakemake 9 hangs for ever if SIGTERM comes while it waits for the
files of a job that has ended (its handler asks for a lock that it holds itself), and a cluster may find it no more."""


class Workflow:
    """The Snakefile's one object."""

    def __init__(
        self,
        root: Path,
        is_main: bool,
        listed: list[str] | None,
        night: object = None,
        *,
        dry: Callable[[], bool] = lambda: True,
        remote: bool = False,
    ) -> None:
        """`root` is the project's. `listed` are the experiments of the overview, or None: all of the project's.

        `night` is the date that `--config night=` gives, as Snakemake has read it; `dry` says that nothing will be
        made, once Snakemake knows: it does not yet while it reads the Snakefile. `remote` says that this is a job of a
        cluster.
        """
        if refused := refused_in_path(str(root)):
            raise SystemExit(
                f"\nthe path of this folder has {refused} in it, and Snakemake or a shell below it takes that for "
                f"something else: move {ascii(str(root))[1:-1] if refused.startswith('a byte') else root}"
            )
        self.root = root
        own = (path.stem for path in (root / "experiments").glob("*.yaml"))
        self.listed = sorted(own) if listed is None else listed
        self.night = _date(night)
        self._is_main = is_main
        self._dry = dry
        self._plans: dict[str, Plan] = {}
        self._targets: dict[str, Target] = {}
        os.environ[PARENT] = str(os.getpid())
        if remote:
            outlive_parent(_LAST_MOMENTS_S)
        if is_main:
            sys.excepthook = _told_in_words
            tidy_screen()
            tell_follower()
            with _disk_faults_in_words():
                self._guard = clear_up(root)
            pass_on_signals()

    def plan(self, experiment: str) -> Plan:
        """Of `experiments/<experiment>.yaml`, read once. Ends Snakemake with the file's errors if it is broken."""
        if experiment not in self._plans:
            try:
                self._plans[experiment] = self._read(experiment)
            except ExperimentErrors as errors:
                # SystemExit and not an exception: Snakemake would wrap it in a traceback.
                raise SystemExit(f"\n{errors}") from None
        return self._plans[experiment]

    def _read(self, experiment: str) -> Plan:
        loaded = load_experiment(experiment_file(self.root, experiment), self.root)
        if self.night:
            loaded = of_night(loaded, self.night)
        self._targets |= loaded.targets
        plan = make_plan(loaded)
        if self._is_main and self._guard.alone:
            with _disk_faults_in_words():
                self._set_aside(plan)
        return plan

    def _set_aside(self, plan: Plan) -> None:
        """Take away what was measured or built for `plan` and does not count any more, so that it is made again."""
        layout = Layout(plan)
        doubted = [*doubtful(map(Path, layout.finished()))]
        gone = {aside.folder for aside in doubted}
        doubted += failed(folder for folder in map(Path, layout.finished()) if folder not in gone)
        doubted += mixed(layout.groups(), {aside.folder for aside in doubted})
        for aside in doubted:
            if self._dry():
                print(f"{aside.reason}: the next call that makes something sets it aside", file=sys.stderr)
            else:
                set_aside(aside, layout.home.attempts)

    def yaml(self, wildcards: Any) -> dict[str, str]:
        """The experiment's file, as `Step.file` reads it: relative where it is the project's own."""
        path = experiment_file(self.root, wildcards.experiment)
        return self._by_content(str(path.relative_to(self.root) if path.is_relative_to(self.root) else path))

    def _by_content(self, path: str) -> dict[str, str]:
        """A file of the user's, for a job that is made again when it says something else, whatever its date."""
        return {"path": path, "sha256": sha256(self.root / path)}

    def requested(self, wildcards: Any, **more: str) -> Plan:
        """The plan of the experiment that a job's wildcards name. Ends Snakemake if it has nothing by the others.

        `more` are names that the job's path does not spell.
        """
        named = {**dict(wildcards.items()), **more}
        named.pop("number", None)  # of thousands of blocks, which are asked for alike
        self._require_there(wildcards.experiment, tuple(named.items()))
        return self.plan(wildcards.experiment)

    @cache  # noqa: B019  one object, as long as Snakemake lives
    def _require_there(self, experiment: str, named: tuple[tuple[str, str], ...]) -> None:
        if fault := self._requested(experiment).fault(dict(named)):
            raise SystemExit(f"\n{fault}")

    @cache  # noqa: B019  one object, as long as Snakemake lives
    def _requested(self, experiment: str) -> Requested:
        return Requested(self.plan(experiment))

    def files(self, wildcards: Any, **more: str) -> Layout:
        self.requested(wildcards, **more)
        return self._layout(wildcards.experiment)

    @cache  # noqa: B019
    def _layout(self, experiment: str) -> Layout:
        return Layout(self.plan(experiment))

    def traces(self, wildcards: Any) -> list[str]:
        """Folders of the captures whose spans the account of a cell is made of, if any has some."""
        cell = wildcards.variant, wildcards.workload
        if not self.requested(wildcards).has_spans(*cell):
            return []
        profiler = self.requested(wildcards).spans_by(*cell)
        return self.files(wildcards, profiler=profiler).captures(*cell, profiler)

    def parameters(self, wildcards: Any) -> Parameters:
        self.requested(wildcards)
        return self._parameters(wildcards.experiment)

    @cache  # noqa: B019
    def _parameters(self, experiment: str) -> Parameters:
        return Parameters(self.plan(experiment))

    def build(self, folder: str) -> Building:
        """What `<target>/<build>` is made by, from whichever experiment asks for it."""
        for plan in self._plans_of_builds():
            if spec := plan.builds.get(folder):
                others = [other.folder for other in plan.builds.values() if other.made_otherwise(spec)]
                return Building(spec, self._targets[spec.target].build, tuple(others))
        raise SystemExit(f"no experiment that was asked for has the build {folder}")

    def _plans_of_builds(self) -> Iterator[Plan]:
        """Those that were asked for. A job on another machine is told a build alone: it looks through the project."""
        yield from self._plans.values()
        if not self._is_main:
            for name in experiments(self.root):
                with suppress(ExperimentErrors):
                    yield self._read(name)

    def code(self, script: str) -> str:
        """Short hash of what the file of that name in scripts/ runs: what is derived is made again when it changes."""
        return step_code(PACKAGE.parent / f"{script}.py")

    @cached_property
    def _readable(self) -> tuple[list[str], dict[str, str]]:
        """The listed experiments that can be read, and the errors of those that cannot."""
        good, broken = [], {}
        for name in self.listed:
            try:
                self._plans.setdefault(name, self._read(name))
                good.append(name)
            except ExperimentErrors as errors:
                broken[name] = str(errors)
        if broken and self._is_main:
            print(_told(broken), file=sys.stderr)
        return good, broken

    def reports(self) -> list[str]:
        return [str(Results().experiment(name).report) for name in self._readable[0]]

    def bundle(self, experiment: str, given: str | None) -> dict[str, str]:
        """The bundle to hold this experiment against. Ends Snakemake, saying where to put it, if it is not there."""
        path = given or f"bundles/{experiment}.zip"
        if not (self.root / path).is_file():
            raise SystemExit(
                f"\n{path} is not there: put the bundle to compare with at bundles/{experiment}.zip, or name it with "
                "--config bundle=FILE"
            )
        return self._by_content(path)

    @property
    def without_tonight(self) -> str:
        """Pattern of the experiments that tonight is not kept of: what is kept is never made again."""
        tonight = Results().experiment("*").night(str(self.night)).summary
        kept = [path.parents[2].name for path in self.root.glob(str(tonight))]
        names = "|".join(map(re.escape, kept))
        return rf"(?!(?:{names})/)[A-Za-z0-9][A-Za-z0-9_.-]*" if kept else r"[A-Za-z0-9][A-Za-z0-9_.-]*"

    def nights(self, experiment: str) -> list[str]:
        """Folders of all nights there will be, tonight's with them. Ends Snakemake if there would be none."""
        self.plan(experiment)
        home = Results().experiment(experiment)
        nights = {path.parent.name for path in self.root.glob(str(home.night(NIGHT).summary))}
        nights |= {self.night} if self.night else set()
        if not nights:
            raise SystemExit(f"\n{experiment} has no night yet: add --config night=$(date -I) to measure one")
        return [str(home.night(name).folder) for name in sorted(nights)]

    def by_hand(self) -> dict[str, str]:
        """Experiments that are not listed but have a report -> what its verdicts go by.

        They are shown on the overview, and never made again for it.
        """
        return {
            path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in sorted(self.root.glob(str(Results().experiment("*").summary)))
            if path.parent.name not in self.listed and Home(path.parent).report.exists()
        }

    def broken(self) -> dict[str, str]:
        return self._readable[1]

    def require_made(self, files: Iterable[str]) -> None:
        """End with an error if one of `files` is not there: such a call has not gone well, whatever its jobs say."""
        if self._is_main and (missing := [file for file in files if not (self.root / file).exists()]):
            raise SystemExit(
                f"\nnot made, although every job went well: {', '.join(missing)}\nCall again, and it is made."
            )

    def tell_time_left(self, files: Iterable[str]) -> None:
        """Say of each job that is measured or built how long all will take that the reports among `files` need."""
        if self._is_main and not is_followed():
            names = [home.folder.name for home in self._homes(files)]
            tell_time_left({name: self.plan(name) for name in names}, self.root)

    def say_last_words(self, files: Iterable[str]) -> None:
        """The verdicts of the experiments whose reports are among `files`, or all that the overview lists."""
        if not self._is_main or is_followed():
            return
        for home in self._homes(files):
            print(*last_words(home), sep="\n")

    def _homes(self, files: Iterable[str]) -> Iterator[Home]:
        """Of the experiments whose reports are among `files`, or of all that the overview lists if it is."""
        made = set(files)
        overview = str(Results().report)
        reports = {*made, *self.reports()} - {overview} if overview in made else made
        for path in sorted(reports):
            home = Home((self.root / path).parent)
            if self.root / path == home.report:
                yield home

    def tell_broken(self) -> None:
        """Say once more, at the end, what was left out: the beginning has scrolled away."""
        if self._is_main and "_readable" in vars(self) and self.broken():
            print(_told(self.broken()), file=sys.stderr)


def refused_in_path(path: str) -> str | None:
    """What of a checkout's path Snakemake, make, pip or a shell below them cannot take; envs/setup.sh says the same."""
    refused = re.search(r"[^A-Za-z0-9_./+@,=~%^\u0080-\U0010ffff-]", path)
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "a byte that is no UTF-8"
    if refused is None:
        return None
    return "a space" if refused[0].isspace() else f"the character {refused[0]}"


@contextmanager
def _disk_faults_in_words() -> Iterator[None]:
    """A checkout that may not be written ends Snakemake with a sentence: it would wrap an exception in a traceback."""
    try:
        yield
    except OSError as error:
        if (words := unusable(error)) is None:
            raise
        raise SystemExit(f"\n{words}") from None


def _told_in_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C, and a disk that cannot be written, end Snakemake by an exception: one sentence instead."""
    words = unusable(error) if isinstance(error, OSError) else None
    if issubclass(kind, KeyboardInterrupt):
        words = "interrupted: the same command goes on from here"
    if words is None:
        sys.__excepthook__(kind, error, trace)
    else:
        print(f"\n{words}", file=sys.stderr)


def _date(given: object) -> str | None:
    if given is None:
        return None
    try:
        return datetime.datetime.strptime(str(given), "%Y-%m-%d").date().isoformat()
    except ValueError:
        raise SystemExit(
            f"\n--config night={given} is no date: write it as {datetime.date.today()}"
        ) from None


def _told(broken: Mapping[str, str]) -> str:
    names = ", ".join(f"experiments/{name}.yaml" for name in broken)
    return "\n".join(["", *broken.values(), f"Left out, because it cannot be read: {names}", ""])
