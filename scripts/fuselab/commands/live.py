"""How far a call has come, for whoever waits for it: one line on a terminal that is written anew, or a line a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from fuselab import foreign
from fuselab.commands.following import Hearer, Stopped, fail_stopped, follow
from fuselab.errors import UnreadableError
from fuselab.experiment.plan import Plan
from fuselab.records.places import Results
from fuselab.records.plan import Verifying
from fuselab.records.verified import read_verified
from fuselab.workflow.estimate import parts_of
from fuselab.workflow.progress import Progress, learn_look
from fuselab.workflow.so_far import Reader, SoFar
from fuselab.workflow.telling import Event

_LAST_LINES = 15
"""Of the log of what failed."""
_SHOWN = {"build", "verify", "time_block", "cost_block", "work_block", "capture", "look", "compare", "report"}
"""Rules that are worth a line where there is no terminal: what is derived comes in hundreds, and takes seconds."""


class Live:
    """What is known of the call, from what Snakemake tells and from what lies on the disk."""

    def __init__(
        self,
        root: Path,
        plans: Mapping[str, Plan],
        clock: Callable[[], float] = time.monotonic,
        *,
        for_verdicts: bool = False,
    ) -> None:
        """`for_verdicts`: verdicts are wanted in any case, also if each of them is that somebody has failed."""
        self.failure: str | None = None
        """Why it cannot go on, in words."""
        self._root = root
        self._plans = plans
        self._clock = clock
        self._for_verdicts = for_verdicts
        self._progress = Progress({name: parts_of(plan, root) for name, plan in plans.items()})
        self._readers: dict[tuple[str, str], Reader] = {}
        self._so_far = SoFar(0)
        self._failed: dict[str, set[Verifying]] = {}
        """By experiment: the verifying runs that have failed."""

    def told(self, event: Event) -> bool:
        """Take it to the account. False once something has failed that all of a report needs."""
        match event.kind:
            case "begun":
                self._progress.begun(event, self._clock())
                self._so_far = self._reader(event).look() if event.rule == "time_block" else SoFar(0)
            case "done":
                if begun := self._progress.ended(event.job, self._clock()):
                    self._learn(begun)
            case "failed":
                what = self._progress.ended(event.job, self._clock())
                self.failure = self.failure or self._why(event, what.words if what else event.rule)
            case "refused":
                self.failure = self.failure or foreign.plain(event.words)
        return self.failure is None

    @property
    def line(self) -> str:
        """What is made now, and how it goes."""
        left = self._progress.left(self._clock())
        return foreign.name(", ".join(filter(None, (self._progress.what, left, self._so_far.words))))

    def _learn(self, done: Event) -> None:
        learn_look(self._progress, done, self._root)
        if done.rule == "time_block":
            self._so_far = self._reader(done).look()
        elif done.rule == "verify" and not self._for_verdicts:
            self._learn_verified(
                done.wildcards["experiment"], done.wildcards["variant"], done.wildcards["spec"]
            )

    def _learn_verified(self, experiment: str, variant: str, spec: str) -> None:
        """That a variant does not keep its data; and that nothing of the call is left to be compared, where so."""
        home = Results(self._root).experiment(experiment)
        try:
            verified = read_verified(home.verified(variant, spec))
        except UnreadableError:
            return  # the workflow says so itself when it comes to it
        if verified.status == "ok":
            return
        plan = self._plans[experiment]
        failed = self._failed.setdefault(experiment, set())
        failed.update(run for run in plan.verifying if (run.variant, run.spec) == (variant, spec))
        if all(_hopeless(plan, self._failed.get(name, ())) for name, plan in self._plans.items()):
            log = home.folder / "logs" / "verify" / f"{variant}.{spec}.log"
            self.failure = self.failure or foreign.plain(
                f"{variant} {verified.rate}: {verified.reason}\nnothing is left to compare\nthe whole log: {log}"
            )

    def _reader(self, event: Event) -> Reader:
        of = event.wildcards["experiment"], event.wildcards["workload"]
        if of not in self._readers:
            self._readers[of] = Reader(self._plans[of[0]], self._root, of[1])
        return self._readers[of]

    def _why(self, failed: Event, what: str) -> str:
        lines = [f"this failed, and no report can be made without it: {what}"]
        for log in failed.logs:
            path = self._root / log
            text = path.read_bytes() if path.is_file() else b""
            lines += [f"  {line}" for line in foreign.last_lines(text, _LAST_LINES)]
            lines.append(f"the whole log: {path}")
        return "\n".join(lines)


def _hopeless(plan: Plan, failed: Collection[Verifying]) -> bool:
    """Whether every contrast has lost a side under every load."""
    lost = {(run.variant, workload) for run in failed for workload in run.workloads}
    contrasts = [
        {(contrast.baseline, workload.name), (contrast.variant, workload.name)}
        for contrast in plan.experiment.contrasts
        for workload in plan.experiment.workloads
    ]
    return bool(contrasts) and all(sides & lost for sides in contrasts)


class Lines:
    """Without a terminal: a line for each step that takes its time."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def told(self, event: Event) -> bool:
        goes_on = self._live.told(event)
        if event.kind == "begun" and event.rule in _SHOWN:
            click.echo(f"{time.strftime('%H:%M:%S')} {self._live.line}")
        return goes_on

    def said(self, line: str) -> None:
        click.echo(foreign.plain(line))

    def tick(self) -> None:
        pass


class OneLine:
    """On a terminal: one line, written anew once a second at most, and only if it says something else."""

    def __init__(self, live: Live, display: RichLive) -> None:
        self._live = live
        self._display = display
        self._shown = ""

    def told(self, event: Event) -> bool:
        return self._live.told(event)

    def said(self, line: str) -> None:
        self._display.console.print(Text(foreign.plain(line)))

    def tick(self) -> None:
        if (line := self._live.line) != self._shown:
            self._shown = line
            self._display.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)


def measure(
    root: Path, plans: Mapping[str, Plan], on: str | None = None, *, for_verdicts: bool = False
) -> str | None:
    """Make the reports of `plans`, by their experiments' names, and show how far that is; why not, where it fails.

    Jobs go to the cluster of the profile `on`, if one is named. A signal ends the command, and so does what leaves
    nothing to compare, unless it is `for_verdicts`.
    """
    live = Live(root, plans, for_verdicts=for_verdicts)
    try:
        with screen(live) as hearer:
            code = follow(root, [Results().experiment(name).report for name in plans], hearer, on)
    except Stopped as stopped:
        fail_stopped(stopped)
    return live.failure or ("what was asked for is not made" if code else None)


@contextmanager
def screen(live: Live) -> Iterator[Hearer]:
    """Whichever fits where standard output goes; the line is gone when the block is left."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(live)
        return
    with RichLive(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as display:
        hearer = OneLine(live, display)
        hearer.tick()
        yield hearer
