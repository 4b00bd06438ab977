"""The front page, `results/report.html`: every experiment with its headline verdicts, and the files that are broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from fuselab.errors import UnreadableError
from fuselab.files import read_json, write_atomically
from fuselab.records.places import Home
from fuselab.records.summary import Summary
from fuselab.report import origin
from fuselab.report.context import VerdictView
from fuselab.report.inputs import find
from fuselab.report.page import failures, verdicts
from fuselab.report.reading import Results
from fuselab.report.templating import rendered


@dataclass(frozen=True)
class Card:
    """One experiment. `error` stands in place of everything else."""

    name: str
    title: str
    href: str | None
    lead: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    verdicts: tuple[VerdictView, ...] = ()
    error: str = ""
    failures: tuple[str, ...] = ()
    history: str | None = None
    """Where its nights are, if any were measured."""


@dataclass(frozen=True)
class Overview:
    cards: tuple[Card, ...]
    by_hand: tuple[Card, ...]
    """Experiments that config.yaml does not list: their reports were asked for by name."""
    broken: tuple[Card, ...]


def write_overview(
    results: Path,
    experiments: Sequence[str],
    broken: Mapping[str, str],
    out: Path,
    by_hand: Sequence[str] = (),
) -> None:
    """`experiments` and `by_hand` name those that have a report; `broken` maps a file's name to its errors."""
    page = Overview(
        cards=tuple(_card(results, name, out) for name in experiments),
        by_hand=tuple(_card(results, name, out) for name in by_hand),
        broken=tuple(Card(name, name, None, (), error=text) for name, text in broken.items()),
    )
    write_atomically(out, rendered("overview.html.j2", page=page))


def _card(results: Path, name: str, out: Path) -> Card:
    home = Home(results / name)
    href, history = (_href(page, out) for page in (home.report, home.history_page))
    try:
        found = Results(find(results, Path("experiments") / f"{name}.yaml", name))
        views, _ = verdicts.verdict_views(found)
        return Card(
            name,
            found.plan.title,
            href,
            _lead(found, _summary(home.summary)),
            verdicts.alarms(found),
            tuple(_from_outside(view, href) for view in views),
            failures=failures.uncompared(found),
            history=history if home.history_page.is_file() else None,
        )
    except (OSError, ValueError, KeyError) as error:
        # An old report stays readable when its files have gone or changed their form.
        return Card(
            name,
            name,
            href,
            (),
            error=f"The report is there, but what it was made from cannot be read: {error}",
        )


def _from_outside(view: VerdictView, page: str) -> VerdictView:
    """As it stands on the front page: one sentence, and its links lead into `page`."""
    clauses = tuple((before, replace(link, href=page + link.href)) for before, link in view.clauses)
    show = replace(view.show, href=page + view.show.href) if view.show else None
    return replace(view, clauses=clauses, others=(), show=show)


def _href(page: Path, out: Path) -> str:
    return quote(str(page.relative_to(out.parent))) if page.is_relative_to(out.parent) else str(page)


def _summary(path: Path) -> Summary | None:
    try:
        return read_json(path, Summary)
    except (OSError, UnreadableError):
        return None


def _lead(results: Results, summary: Summary | None) -> tuple[str, ...]:
    """Date and machine are those of the summary made with the page: the records of its runs may have been removed."""
    kept = (summary.measured_first, summary.measured_last) if summary else ("", "")
    machines = (summary.machines if summary else ()) or origin.hosts(results)
    said = origin.lead(results.plan, *(kept if kept[0] else origin.when(results)), machines)
    profilers = ", ".join(f"`{p.name}`" for p in results.plan.profilers)
    return tuple(filter(None, (*said, profilers)))
