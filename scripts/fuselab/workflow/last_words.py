"""What a call that made reports ends with: the verdicts in sentences, and where the page is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fuselab.files import read_json
from fuselab.records.comparison import FAILED, FASTER, INCONCLUSIVE, SLOWER
from fuselab.records.places import Home
from fuselab.records.summary import Summary, SummaryRow

MOST = 12
"""Verdicts that are said; the page has all."""
_FIRST = (FAILED, SLOWER, FASTER, INCONCLUSIVE)


def last_words(home: Home) -> Iterator[str]:
    """Lines about the experiment of `home`, whose report is there. Raises UnreadableError."""
    summary = read_json(home.summary, Summary)
    yield f"{summary.experiment}: {summary.title}" if summary.title else summary.experiment
    yield from (f"  doubt what follows: {_plain(alarm)}" for alarm in summary.alarms)
    yield from (f"  {_plain(failure)}" for failure in summary.failures)
    yield from (f"  {line}" for line in verdicts(summary))
    yield from (f"  {_plain(guard.sentence)}" for guard in summary.guards)
    yield f"  the report: {home.report}"


def verdicts(summary: Summary) -> Iterator[str]:
    """One sentence for each, with the reason where one was found; of many, first those that say most."""
    rows = sorted(_once(summary.comparisons), key=lambda row: row.control)
    if len(rows) > MOST:
        rows.sort(key=lambda row: (row.control, _rank(row)))
    many = len({row.workload for row in rows}) > 1
    for row in rows[:MOST]:
        where = f", under `{row.workload}`" if many else ""
        longer = [found for found in summary.found if _says(found, row.sentence, where)]
        yield _plain(longer[0] if longer else f"{row.sentence.removesuffix('.')}{where}.")
    if len(rows) > MOST:
        yield f"and {len(rows) - MOST} more"
    beside = [found for found in summary.found if not any(_says(found, row.sentence) for row in rows)]
    yield from map(_plain, beside[:MOST])


def _once(rows: Iterable[SummaryRow]) -> Iterator[SummaryRow]:
    """Without the further metrics of a load under which a variant has failed: it has in all of them, for one reason."""
    failed = set[tuple[str, str]]()
    for row in rows:
        if row.verdict != FAILED:
            yield row
        elif (where := (row.workload, row.sentence)) not in failed:
            failed.add(where)
            yield row


def _rank(row: SummaryRow) -> int:
    return next((i for i, word in enumerate(_FIRST) if row.verdict.startswith(word)), len(_FIRST))


def _says(longer: str, sentence: str, where: str = "") -> bool:
    """Whether it says the same, and more."""
    stem = sentence.removesuffix(".")
    return longer.startswith(stem) and where in longer[len(stem) :]


def _plain(text: str) -> str:
    """Without the marks of code, which a terminal does not show as such."""
    return text.replace("`", "")
