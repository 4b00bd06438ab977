"""`history.html` and `history.csv`: what each night found, and from which night on something is faster or slower."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pandas as pd

from fuselab.files import read_json, write_atomically
from fuselab.history.change_points import FEWEST_IN_ALL
from fuselab.history.nights import Night
from fuselab.history.profiles import Moved, draw, moved
from fuselab.history.series import Change, Level, Series, all_series
from fuselab.records.contrast import Contrast
from fuselab.records.derived import DifferenceNote
from fuselab.records.history import HistoryRow
from fuselab.records.places import DIFF, Home
from fuselab.records.table import write_rows
from fuselab.report import tables, words
from fuselab.report.context import Cell, Embed, FigureView, Link, Tab, Table
from fuselab.report.embed import Carrier, in_both_widths
from fuselab.report.figures.over_nights import over_nights
from fuselab.report.page import profiles
from fuselab.report.reading import Diff
from fuselab.report.summary import change
from fuselab.report.templating import rendered


@dataclass(frozen=True)
class SeriesView:
    title: str
    sentences: tuple[str, ...]
    """Every change and when, and what holds now."""
    kind: str
    """CSS class of the verdict on the last change: faster, slower, none, open."""
    word: str
    mark: str
    figure: FigureView | None
    table: Table
    changes: tuple[ChangeView, ...] = ()


@dataclass(frozen=True)
class ChangeView:
    """What moved from the night before a change of level to the first that is surely after it."""

    title: str
    key: str
    tabs: tuple[Tab, ...]
    """One for each profiler and load."""
    note: str = ""
    """Why there is none."""


@dataclass(frozen=True)
class HistoryPage:
    name: str
    title: str
    lead: tuple[str, ...]
    links: tuple[Link, ...]
    alarms: tuple[str, ...]
    faults: tuple[str, ...]
    """Nights that could not be read."""
    series: tuple[SeriesView, ...]
    embeds: tuple[Embed, ...] = ()


def write_history(nights: tuple[Night, ...], faults: tuple[str, ...], page: Path, csv: Path) -> None:
    """Write both files, and beside them the differences between nights. `nights` are those of one experiment, at least
    one, the oldest first; they lie in `history/` beside the page."""
    write_atomically(page, rendered("history.html.j2", page=history_page(nights, faults, page)))
    # Last: a night that is in it is on the page.
    write_rows(csv, HistoryRow, [row for series in all_series(nights) for row in rows(series)])


def history_page(
    nights: tuple[Night, ...], faults: tuple[str, ...] = (), page: Path = Path("history.html")
) -> HistoryPage:
    last, found = nights[-1], all_series(nights)
    many = len({series.workload for series in found}) > 1
    differences = Differences(last, Home(page.parent), Carrier(page))
    return HistoryPage(
        name=last.plan.experiment,
        title=last.plan.title,
        lead=(
            words.plural(len(nights), "night"),
            f"{nights[0].night} to {last.night}" if len(nights) > 1 else last.night,
            words.listing(list(last.summary.machines)),
        ),
        links=(Link("report.html", "the night measured last"), Link("../report.html", "all experiments")),
        alarms=last.summary.alarms,
        faults=faults,
        series=tuple(
            _view(f"history-{i}", series, last, f", under `{series.workload}`" if many else "", differences)
            for i, series in enumerate(found)
        ),
        embeds=differences.carrier.embeds,
    )


@dataclass(frozen=True)
class Differences:
    """Draws what moved between nights of an experiment, each once, however many metrics have changed with it."""

    last: Night
    home: Home
    carrier: Carrier
    _drawn: dict[Moved, Path] = field(default_factory=dict)

    def views(self, key: str, series: Series) -> Iterator[ChangeView]:
        """Of each change of `series`, where profilers looked at its variant."""
        variant, plan = series.variant, self.last.plan
        if not any(capture.variant == variant for capture in plan.captures):
            return
        for number, (_, level) in enumerate(series.changes):
            if (change := level.change) is None:
                continue
            before, after = change.before.night, change.last.night
            found = list(moved(self.last, self.home, variant, series.workload, change))
            tabs = tuple(self._tab(f"{key}-moved-{number}-{i}", each) for i, each in enumerate(found))
            note = "" if tabs else "No profiles were kept of both nights."
            title = f"What moved in `{variant}` from {before} to {after}"
            yield ChangeView(title, f"{key}-moved-{number}", tabs, note)

    def _tab(self, key: str, each: Moved) -> Tab:
        _, workload, profiler, before, after = each
        if each not in self._drawn:
            self._drawn[each] = draw(each, self.home)
        folder, plan = self._drawn[each], self.last.plan
        said = read_json(folder / DIFF, DifferenceNote)
        looked = next(p for p in plan.profilers if p.name == profiler)
        programs = frozenset(variant.target for variant in plan.variants)
        tab = profiles.difference(
            self.carrier, key, looked, Diff(folder, **vars(said)), Contrast(before, after), programs
        )
        under = f", {workload}" if len(plan.workloads) > 1 else ""
        return replace(tab, label=f"{looked.title}{under}", badge="")


def rows(series: Series) -> Iterator[HistoryRow]:
    """One a night, the oldest first."""
    levels = [level for era in series.eras for level in era.levels]
    of_night = {point.night: (i, level) for i, level in enumerate(levels, 1) for point in level.points}
    for era_number, era in enumerate(series.eras, start=1):
        for point in era.points:
            number, level = of_night.get(point.night, (None, None))
            yield HistoryRow(
                night=point.night,
                workload=series.workload,
                baseline=series.baseline,
                variant=series.variant,
                metric=series.metric,
                better=series.better,
                ratio=point.row.ratio,
                ratio_low=point.row.ratio_low,
                ratio_high=point.row.ratio_high,
                verdict=point.row.verdict,
                revision=point.program.revision,
                dirty=point.program.dirty,
                build=point.program.build,
                era=era_number,
                level=number,
                level_ratio=None if level is None else level.ratio,
                change=level is not None and level.change is not None and level.points[0] is point,
            )


_FIGURES = ("ratio", "ratio_low", "ratio_high", "level_ratio")


def _view(key: str, series: Series, last: Night, where: str, differences: Differences) -> SeriesView:
    noun = words.phrase(series.metric).noun
    kind, mark, word = _word(series, last.plan.threshold)
    title = f"{words.capital(words.plain_noun(series.metric))}, {series.variant} / {series.baseline}"
    return SeriesView(
        title=f"`{series.variant}` against `{series.baseline}`: {noun}{where}",
        sentences=tuple(_sentences(last.plan.experiment, series, last.night)),
        kind=kind,
        mark=mark,
        word=word,
        figure=_figure(key, series, title, last.plan.threshold),
        table=_table(f"{key}-nights", series),
        changes=tuple(differences.views(key, series)),
    )


def _word(series: Series, threshold: float) -> tuple[str, str, str]:
    """What the last change came to, for whoever reads one word."""
    era = series.eras[-1]
    if len(era.levels) > 1:
        before, after = era.levels[-2:]
        moved = after.ratio / before.ratio
        word, mark = ("faster", "▲") if (moved > 1) == (series.better == "higher") else ("slower", "▼")
        return word, mark, word + (", below threshold" if abs(moved - 1) < threshold else "")
    if era.judged < FEWEST_IN_ALL:
        return "open", "?", "too few nights"
    return "none", "–", "no change shown"


def _sentences(experiment: str, series: Series, tonight: str) -> Iterator[str]:
    era = series.eras[-1]
    for before, after in series.changes:
        yield _changed(series, before, after)
        if after.change is not None and not series.curve:
            yield from _bisect(experiment, series, after.change)
    here = f" since {era.points[0].night}, when {era.began} changed" if era.began else ""
    nights = words.plural(era.judged, "night")
    if era.judged < FEWEST_IN_ALL:
        half = FEWEST_IN_ALL // 2
        yield f"{nights} with a ratio{here}: to show a change takes {FEWEST_IN_ALL} at least, {half} on each side."
    elif len(era.levels) == 1:
        yield f"No change of level shown in {nights}{here}: {_against(series, era.levels[0])}."
    else:
        level = era.levels[-1]
        yield f"On the last level, {words.plural(len(level.points), 'night')}, {_against(series, level)}."
    if (ended := series.points[-1].night) != tonight:
        yield f"Last measured on {ended}."


def _changed(series: Series, before: Level, after: Level) -> str:
    assert after.change is not None  # it is not the first of its era
    noun, higher = words.phrase(series.metric).noun, "higher" if after.ratio > before.ratio else "lower"
    return (
        f"From {after.change.first.night} on {noun} was {higher}: {words.change(after.ratio)} against "
        f"`{series.baseline}`, and {words.change(before.ratio)} before. {_cause(after.change)}"
    )


def _bisect(experiment: str, series: Series, change: Change) -> Iterator[str]:
    """The line that finds which of the commits of a change it was, where there are several builds to tell apart."""
    old, new = change.before.program.revision, change.last.program.revision
    if old and new and old != new:
        words = ["fuselab", "bisect", experiment, "--good", old[:12], "--bad", new[:12]]
        words += ["--metric", series.metric, "--workload", series.workload, "--variant", series.variant]
        yield f"Which of them it was: `{shlex.join(words)}`"


def _against(series: Series, level: Level) -> str:
    noun = words.phrase(series.metric).noun
    return f"{noun} of `{series.variant}` is {words.change(level.ratio)} against `{series.baseline}`"


def _cause(change: Change) -> str:
    """Where to look for what did it: between the last night that is surely before it and the first surely after."""
    old, new = change.before.program, change.last.program
    nights = f"the nights of {change.before.night} and {change.last.night}"
    if old.revision and new.revision and old.revision != new.revision:
        loose = ", and changes that were not committed" if old.dirty or new.dirty else ""
        return f"Between {nights}: `git log {old.revision[:12]}..{new.revision[:12]}`{loose}."
    if not (old.sha256 and new.sha256):
        return f"It came between {nights}."
    if old.sha256 == new.sha256:
        return f"The same program ran on {nights}: look for the cause outside the source."
    why = "uncommitted changes, or another build of the same revision" if old.revision else "another build"
    return f"Not the same program ran on {nights}: {why}."


def _figure(key: str, series: Series, title: str, threshold: float) -> FigureView | None:
    data = pd.DataFrame(list(rows(series))).astype({"level": "Int64", **dict.fromkeys(_FIGURES, float)})
    if not data["ratio"].notna().any():
        return None
    row_of = {night: row for row, night in enumerate(data["night"])}
    eras = [int((data["era"] < era).sum()) for era in data["era"].unique()[1:]]
    changes = [
        (row_of[c.first.night], row_of[c.before.night], row_of[c.last.night])
        for _, level in series.changes
        if (c := level.change) is not None
    ]
    draws = partial(over_nights, nights=data, noun=title, threshold=threshold, starts=eras, changes=changes)
    return in_both_widths(key, draws)


def _table(key: str, series: Series) -> Table:
    return tables.from_cells(
        key,
        "Every night, the last first. `+` stands for uncommitted changes.",
        [
            {
                "night": Cell(point.night),
                "revision": Cell(point.program.revision[:12] + (" +" if point.program.dirty else "")),
                "change": Cell(change(point.row)[0], str(point.row.ratio or "")),
                "interval": Cell(change(point.row)[1]),
                "verdict": Cell(point.row.verdict),
                "blocks": Cell(str(point.row.blocks), str(point.row.blocks)),
            }
            for point in reversed(series.points)
        ],
        numeric={"change", "blocks"},
    )
