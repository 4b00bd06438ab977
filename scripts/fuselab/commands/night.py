"""`fuselab night`: tonight's measurement of an experiment, for cron and timers. It says nothing when all is well."""

from __future__ import annotations

import csv
import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands import completing
from fuselab.commands.common import fail, load
from fuselab.commands.ending import notify
from fuselab.commands.following import make

if TYPE_CHECKING:
    from fuselab.records.places import Home
    from fuselab.records.summary import Summary, SummaryRow

_COULD_NOT, _SLOWER, _CONTROL = 1, 2, 3
"""Exit codes beside 0."""
_LAST_LINES = 15


@click.command("night")
@click.argument("experiment", shell_complete=completing.experiments)
@click.option("--date", metavar="YYYY-MM-DD", help="Which night; today's date without it.")
def command(experiment: str, date: str | None) -> None:
    """Measure tonight's blocks of EXPERIMENT, keep them, and write results/EXPERIMENT/history.html.

    Prints nothing when nothing is slower and nothing has changed since the night before, so that cron sends no mail.
    A night that is kept is not measured again; one that was interrupted goes on.

    Exit code: 0 all is well, or accepted; 1 it could not run; 2 something is slower, a guard is broken, or a variant
    failed; 3 the A/A control differs from the baseline it is identical to.
    """
    from fuselab.records.places import Results

    root, loaded = load(experiment)
    night = _date(date)
    home = Results(root).experiment(loaded.experiment.name)
    with _alone(home):
        if not _is_shown(home, night):
            _measure(root, home, night)
            notify(loaded.experiment.notify, home.night(night).summary, root)
        tonight, before = _kept(home, night)
        for line in report(tonight, before):
            click.echo(line)
        code = exit_code(tonight)
        if code or changed(tonight, before):
            click.echo(f"all nights: {home.history_page}")
    sys.exit(code)


def exit_code(night: Summary) -> int:
    """What a night ends with. A control that differs comes first: then no verdict of that size can be believed."""
    if night.alarms:
        return _CONTROL
    return _SLOWER if any(map(_bad, night.comparisons)) or any(guard.broken for guard in night.guards) else 0


def changed(night: Summary, before: Summary | None) -> list[SummaryRow]:
    """Comparisons that are faster, slower or failed on the one night, and not on the other."""
    known = {_of(row): _matter(row) for row in before.comparisons} if before else {}
    return [row for row in night.comparisons if _matter(row) != known.get(_of(row), "") and not row.accepted]


def report(night: Summary, before: Summary | None) -> Iterator[str]:
    """Lines for a mail; none where all is well and as it was."""
    yield from night.alarms
    new = [row for row in changed(night, before) if not row.control]
    for row in night.comparisons:
        if row in new:
            yield f"changed: {row.sentence}"
        elif _bad(row):
            yield f"still: {row.sentence}"
    yield from (guard.sentence for guard in night.guards if guard.broken)
    if exit_code(night) or new:
        yield from (f"{row.sentence} It is {row.accepted}." for row in night.comparisons if row.accepted)


def _of(row: SummaryRow) -> tuple[str, str, str, str]:
    return row.workload, row.baseline, row.variant, row.metric


def _matter(row: SummaryRow) -> str:
    """The verdict, where it says that something is different by as much as matters."""
    from fuselab.records.comparison import FAILED, FASTER, SLOWER

    return row.verdict if row.verdict in (FASTER, SLOWER, FAILED) else ""


def _bad(row: SummaryRow) -> bool:
    from fuselab.records.comparison import FASTER

    return not row.control and not row.accepted and _matter(row) not in ("", FASTER)


def _date(written: str | None) -> str:
    try:
        return str(datetime.date.fromisoformat(written) if written else datetime.date.today())
    except ValueError:
        fail(f"--date {written} is no date: write it as {datetime.date.today()}")


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One night of an experiment at a time. A process that died holds no lock, however it died."""
    from fuselab.files import closing
    from fuselab.locks import holders, open_lock, try_lock

    logs = home.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with closing(open_lock(logs / "night.lock")) as descriptor:
        if not try_lock(descriptor):
            pids = ", ".join(map(str, holders(descriptor))) or "of somebody else"
            fail(f"a night of {home.folder.name} is being measured by process {pids}: nothing was done")
        yield


def _measure(root: Path, home: Home, night: str) -> None:
    log = home.night_log(night)
    with log.open("ab") as file:
        code = make(
            root, home.history_page.relative_to(root), "--config", f"night={night}", output=file.fileno()
        )
    if code == 0 and home.night(night).summary.is_file():
        return
    last = log.read_text(errors="replace").rstrip().splitlines()[-_LAST_LINES:]
    fail("\n".join([f"the night of {night} could not be measured; the end of {log}:", *last]), _COULD_NOT)


def _is_shown(home: Home, night: str) -> bool:
    """Whether the night is kept, and the page of all nights has it: whoever was killed in between goes on with that."""
    if not all(path.is_file() for path in (home.night(night).summary, home.history_page, home.history_table)):
        return False
    with home.history_table.open(newline="") as file:
        return any(row.get("night") == night for row in csv.DictReader(file))


def _kept(home: Home, night: str) -> tuple[Summary, Summary | None]:
    """The summary of the night, and that of the one kept before it."""
    from fuselab.files import read_json
    from fuselab.records.summary import Summary

    earlier = sorted(
        p.parent.name for p in home.folder.glob("history/*/summary.json") if p.parent.name < night
    )
    before = read_json(home.night(earlier[-1]).summary, Summary) if earlier else None
    return read_json(home.night(night).summary, Summary), before
