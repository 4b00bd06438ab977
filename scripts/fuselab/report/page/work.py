"""What fixed work made each variant do: every counter in one table, those that differ first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fuselab.compare.counting import LEVEL
from fuselab.records.comparison import Comparison
from fuselab.report import words, work
from fuselab.report.context import Link, WorkView
from fuselab.report.page import verdict_table
from fuselab.report.reading import Results
from fuselab.words import grouped

_COLUMNS = ("variant", "workload", "counter", "typical", "change", "interval", "verdict", "note", "metric")
_CAPTION = (
    "Every counter of every contrast, of runs of fixed work in blocks of their own; what is typical of the baseline, "
    "and of the variant."
)


def section(results: Results, links: tuple[Link, ...]) -> WorkView | None:
    rows, said = work.counted(results), (*_counted(results), *_missing(results))
    if not rows:
        return WorkView(said, None) if said else None
    names = [name for name in _COLUMNS if name != "workload" or len(results.plan.workloads) > 1]
    table = verdict_table.table("work-table", _CAPTION, names, results.plan, rows, links)
    return WorkView((*_notes(rows), *said), table)


def _counted(results: Results) -> Iterator[str]:
    """Which work it was."""
    said = {workload.name: workload.work for workload in results.plan.workloads if workload.work}
    without = {workload.name for workload in results.plan.workloads if not workload.work_spec}
    for text, names in grouped(
        {name: text for name, text in said.items() if results.works.get(name)}
    ).items():
        yield f"Counted of {words.names(names)}: {text}."
    for text, names in grouped({name: text for name, text in said.items() if name in without}).items():
        yield f"Nothing is counted of {words.names(names)}: {text}."


def _missing(results: Results) -> Iterator[str]:
    """What was not counted, by reason."""
    for workload, works in results.works.items():
        whys = Counter(item for each in works for item in each.unavailable.items())
        alike: dict[tuple[str, int], list[str]] = {}
        for (name, reason), runs in whys.items():
            alike.setdefault((reason, runs), []).append(name)
        for (reason, runs), names in alike.items():
            share = "" if runs == len(works) else f" in {runs} of {len(works)} runs"
            yield f"Not counted of `{workload}`{share}: {words.names(names)}: {reason}."


def _notes(rows: list[Comparison]) -> Iterator[str]:
    for pair in dict.fromkeys((row.variant, row.baseline, row.workload) for row in rows):
        own = [row for row in rows if (row.variant, row.baseline, row.workload) == pair]
        yield f"`{pair[0]}` against `{pair[1]}` under `{pair[2]}`: {_told(own)}."
    yield (
        "A counter differs if more lies between the runs of the two sides than within either; where every run repeats "
        f"its count, any difference counts. What scatters more is judged block by block at {words.level(LEVEL)}, "
        "corrected for all counters that do."
    )


def _told(rows: list[Comparison]) -> str:
    differ = sum(row.differs for row in rows)
    alike = sum(row.word == "no difference shown" for row in rows)
    said = [f"{words.plural(differ, 'counter')} of {len(rows)} {'differs' if differ == 1 else 'differ'}"]
    said += [f"{alike} show no difference"] if alike else []
    left = len(rows) - differ - alike
    return ", ".join([*said, *([f"{left} scatter too much to tell"] if left else [])])
