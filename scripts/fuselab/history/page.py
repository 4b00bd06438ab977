"""`history.html` and `history.csv`: what each night found, and from which night on something is faster or slower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fuselab.files import write_atomically
from fuselab.history.change_points import FEWEST_NIGHTS
from fuselab.history.nights import Night
from fuselab.history.series import Level, Point, Series, all_series
from fuselab.report import words
from fuselab.report.context import Cell, Column, FigureView, Table
from fuselab.report.distributions import view
from fuselab.report.drawing import Drawing
from fuselab.report.figures import base
from fuselab.report.figures.over_nights import over_nights


@dataclass(frozen=True)
class SeriesView:
    title: str
    sentences: tuple[str, ...]
    """What changed and when, or that nothing did."""
    kind: str
    """CSS class of the verdict on the last change: faster, slower, none, open."""
    word: str
    mark: str
    figure: FigureView | None
    table: Table


@dataclass(frozen=True)
class HistoryPage:
    name: str
    title: str
    lead: tuple[str, ...]
    alarms: tuple[str, ...]
    series: tuple[SeriesView, ...]


def write_history(nights: tuple[Night, ...], page: Path, csv: Path) -> None:
    """Write both files. `nights` are those of one experiment, at least one, the oldest first."""
    from fuselab.report.render import templates

    found = all_series(nights)
    frames = [frame(series) for series in found]
    table = pd.concat(frames) if frames else pd.DataFrame()
    write_atomically(csv, table.to_csv(index=False))
    write_atomically(page, templates().get_template("history.html.j2").render(page=history_page(nights)))


def history_page(nights: tuple[Night, ...]) -> HistoryPage:
    last = nights[-1]
    many = len(last.plan.workloads) > 1
    counted = words.plural(len(nights), "night")
    when = f"{nights[0].night} to {last.night}" if len(nights) > 1 else last.night
    return HistoryPage(
        name=last.plan.experiment,
        title=last.plan.title,
        lead=(counted, when, words.listing(list(last.summary.machines))),
        alarms=last.summary.alarms,
        series=tuple(
            _view(number, series, f", under `{series.workload}`" if many else "", last.plan.threshold)
            for number, series in enumerate(all_series(nights))
        ),
    )


def frame(series: Series) -> pd.DataFrame:
    """One row a night, as in history.csv: what was found, and the level it is part of."""
    return pd.DataFrame(_rows(series))


def _rows(series: Series) -> Iterator[dict[str, object]]:
    count = 0
    for era_number, era in enumerate(series.eras, start=1):
        of_point: dict[str, tuple[int, Level]] = {}
        for level in era.levels:
            count += 1
            of_point.update({point.night: (count, level) for point in level.points})
        for point in era.points:
            number, held = of_point.get(point.night, (None, None))
            row = point.row
            yield {
                "night": point.night,
                "workload": series.workload,
                "baseline": series.baseline,
                "variant": series.variant,
                "metric": series.metric,
                "better": series.better,
                "ratio": row.ratio,
                "ratio_low": row.ratio_low,
                "ratio_high": row.ratio_high,
                "verdict": row.verdict,
                "revision": point.program.revision,
                "dirty": point.program.dirty,
                "build": point.program.build,
                "era": era_number,
                "level": number,
                "level_ratio": None if held is None else held.ratio,
                "change_p": held.p if held is not None and held.points[0] is point else None,
            }


def _view(number: int, series: Series, where: str, threshold: float) -> SeriesView:
    phrase = words.phrase(series.metric)
    noun = words.capital(phrase.noun)
    kind, mark, word = _word(series, threshold)
    data = frame(series)
    return SeriesView(
        title=f"`{series.variant}` against `{series.baseline}`: {phrase.noun}{where}",
        sentences=tuple(_sentences(series)),
        kind=kind,
        mark=mark,
        word=word,
        figure=_figure(
            f"history-{number}", data, series, f"{noun}, {series.variant} / {series.baseline}", threshold
        ),
        table=_table(f"nights-{number}", series),
    )


def _word(series: Series, threshold: float) -> tuple[str, str, str]:
    """What the last change came to, for whoever reads one word."""
    era = series.eras[-1]
    if len(era.levels) > 1:
        before, after = era.levels[-2:]
        moved = after.ratio / before.ratio
        word, mark = ("faster", "▲") if (moved > 1) == (series.better == "higher") else ("slower", "▼")
        return word, mark, word + (", below threshold" if abs(moved - 1) < threshold else "")
    if sum(len(level.points) for level in era.levels) < 2 * FEWEST_NIGHTS:
        return "open", "?", "too few nights"
    return "none", "=", "no change shown"


def _sentences(series: Series) -> Iterator[str]:
    era = series.eras[-1]
    here = f" since {era.points[0].night}, when {era.began} changed" if era.began else ""
    counted = sum(len(level.points) for level in era.levels)
    for before, after in zip(era.levels, era.levels[1:], strict=False):
        yield _change(series, before, after)
    if counted < 2 * FEWEST_NIGHTS:
        yield (
            f"{words.capital(words.plural(counted, 'night'))} with a ratio{here}: a change point takes "
            f"{2 * FEWEST_NIGHTS}, {FEWEST_NIGHTS} on each side."
        )
    elif len(era.levels) == 1:
        yield f"No change of level shown in {words.plural(counted, 'night')}{here}: {_level(series, era.levels[0])}."
    elif here:
        yield f"Compared{here}."


def _change(series: Series, before: Level, after: Level) -> str:
    first, last = after.points[0], before.points[-1]
    noun = words.phrase(series.metric).noun
    moved = words.change(after.ratio / before.ratio)
    return (
        f"Since {first.night} {noun} of `{series.variant}` has changed by {moved} ({_p(after)}): "
        f"{_level(series, after)}, before it was {words.change(before.ratio)}. {_between(last, first)}"
    )


def _p(level: Level) -> str:
    assert level.p is not None  # it began with a change
    return "p below 0.001" if level.p < 0.001 else f"p {words.number(level.p, 2)}"


def _level(series: Series, level: Level) -> str:
    return f"it is {words.change(level.ratio)} against `{series.baseline}`"


def _between(last: Point, first: Point) -> str:
    """Where to look for what did it."""
    old, new = last.program, first.program
    if not (old.revision and new.revision):
        return f"The last night before it was {last.night}."
    if old.revision == new.revision:
        return (
            f"The last night before it was {last.night}, with the same {words.revision(new.revision, new.dirty)}: "
            "look for the cause outside the source."
        )
    span = f"{old.revision[:12]}..{new.revision[:12]}"
    return f"The commits between: `git log {span}` (nights of {last.night} and {first.night})."


def _figure(name: str, data: pd.DataFrame, series: Series, noun: str, threshold: float) -> FigureView | None:
    if not data["ratio"].notna().any():
        return None
    eras = [int((data["era"] < era).sum()) for era in data["era"].unique()[1:]]
    changes = [i for i, p in enumerate(data["change_p"]) if pd.notna(p)]

    def drawn(key: str, width_in: float) -> Drawing:
        return over_nights(
            key, data.astype(dict.fromkeys(_FIGURES, float)), noun, threshold, eras, changes, width_in
        )

    return view(drawn(name, base.WIDE_IN), drawn(f"{name}-narrow", base.NARROW_IN))


_FIGURES = ("ratio", "ratio_low", "ratio_high", "level", "level_ratio")


def _table(key: str, series: Series) -> Table:
    names = ("night", "revision", "change", "interval", "verdict", "blocks")
    rows = tuple(
        (
            Cell(point.night),
            Cell(point.program.revision[:12] + (" +" if point.program.dirty else "")),
            Cell(
                "" if point.row.ratio is None else words.change(point.row.ratio), str(point.row.ratio or "")
            ),
            Cell(_interval(point)),
            Cell(point.row.verdict),
            Cell(str(point.row.blocks), str(point.row.blocks)),
        )
        for point in reversed(series.points)
    )
    numeric = {"change", "blocks"}
    columns = tuple(Column(name, name in numeric) for name in names)
    return Table(key, "Every night, the last first. `+` stands for uncommitted changes.", columns, rows)


def _interval(point: Point) -> str:
    low, high = point.row.ratio_low, point.row.ratio_high
    return "" if low is None or high is None else words.change_interval(low, high)
