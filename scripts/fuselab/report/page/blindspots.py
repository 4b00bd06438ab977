"""Where the time is: self time of each operation by what it was, and which profiler cannot see which part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import pandas as pd

from fuselab import profilers
from fuselab.profilers.base import AccountParts
from fuselab.records.plan import PlanFile
from fuselab.report import accounted, tables, words, work
from fuselab.report.context import BlindSpotView, Cell, Column, Table
from fuselab.report.embed import Draws, data_link, in_both_widths
from fuselab.report.figures import base, stacked
from fuselab.report.figures.drawing import Drawing
from fuselab.report.reading import Results

SHOWN = 12
"""Operations in the figure; the table has them all."""
_BARS = 36
"""In one figure, of all variants together."""
_SEEN = 0.005
"""Of the longest bar: what is shorter cannot be seen."""
_OUTSIDE = "(outside"
"""How rows begin that are no operation: threads that wait for work, and time outside the target. The table has them."""
_PARTS = [column for column, _, _ in (*stacked.SAMPLED, stacked.AWAITING)]
_EXCEEDED = (
    "Unexplained below 0: the captures are different runs, and those of perf found more time on and off the processor "
    "under this name than the trace's own run spent in its polls."
)


def blind_spots(results: Results) -> tuple[BlindSpotView, ...]:
    """One view per workload that has an accounting."""
    return tuple(_view(results, workload) for workload in _accounted(results))


def drawings(results: Results) -> Iterator[Drawing]:
    """Every figure, wide."""
    for workload in _accounted(results):
        yield from (draws(name, width_in=base.WIDE_IN) for name, draws in _draws(results, workload))


def _accounted(results: Results) -> list[str]:
    names = {workload for _, workload in results.blindspots}
    return [workload.name for workload in results.plan.workloads if workload.name in names]


def _spans(results: Results, workload: str) -> dict[str, pd.DataFrame]:
    """variant -> its operations, where it has any."""
    sides = {name: results.blindspots.get((name, workload)) for name in results.plan.names()}
    tables = {name: pd.read_parquet(side[0]) for name, side in sides.items() if side is not None}
    return {name: table for name, table in tables.items() if len(table)}


def _requests(results: Results, workload: str) -> dict[str, pd.DataFrame]:
    """variant -> its requests by opcode, where they were accounted."""
    found = {}
    for name in results.plan.names():
        for giving in profilers.giving("in_flight"):
            processed = results.profiles.get((name, workload, giving))
            path = processed and processed.folder / profilers.REGISTRY[giving].account.in_flight
            if path and path.is_file():
                found[name] = pd.read_parquet(path)
    return found


_AS_OPERATIONS = {"opcode": "name", "in_flight_ns": "wall_ns"}


def _draws(results: Results, workload: str) -> Iterator[tuple[str, Draws]]:
    """Spans, then requests: for each operation of the load where all variants tell how many there were."""
    spans, requests = _spans(results, workload), _requests(results, workload)
    by_opcode = {name: table.rename(columns=_AS_OPERATIONS) for name, table in requests.items()}
    for kind, raw, of, caption in (
        ("blindspots", spans, accounted.of_spans, ""),
        ("in-flight", by_opcode, accounted.of_requests, stacked.IN_FLIGHT),
    ):
        each = {name: one.table for name in raw if (one := of(results, name, workload))}
        known = raw.keys() == each.keys()
        sides = ordered(each if known else raw)
        per = f"for each {work.operation(results, workload)}" if known else "in the whole run"
        if sides:
            yield (
                words.slug(kind, workload),
                partial(stacked.operations, sides=sides, per=per, caption=caption),
            )


def ordered(raw: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same operations of each variant, those with the most time first, as many as a figure has room for.

    A row without parts, such as the time outside the target, is not drawn; nor what is too short to be seen.
    """
    lengths = {name: totals(table).groupby(table["name"]).sum() for name, table in raw.items()}
    most = pd.DataFrame(lengths).max(axis=1).sort_values(ascending=False, kind="stable")
    seen = most[most > _SEEN * most.max()].index[: max(1, min(SHOWN, _BARS // max(1, len(raw))))]
    if not len(seen):
        return {}
    return {
        name: table.select_dtypes("number")
        .groupby(table["name"])
        .sum(min_count=1)
        .reindex(seen)
        .reset_index(names="name")
        for name, table in raw.items()
        if lengths[name].sum() > 0
    }


def _view(results: Results, workload: str) -> BlindSpotView:
    sides = {name: results.blindspots.get((name, workload)) for name in results.plan.names()}
    said = {name: side[1] for name, side in sides.items() if side is not None}
    headlines = {name: tuple(filter(None, (each.headline, each.in_flight))) for name, each in said.items()}
    hints = {name: each.hints for name, each in said.items()}
    notes = {name: (*each.notes, *each.in_flight_notes) for name, each in said.items()}
    return BlindSpotView(
        workload=workload,
        headlines=tuple(_together(headlines)),
        figures=tuple(in_both_widths(name, draws) for name, draws in _draws(results, workload)),
        tables=(
            *(
                _table(words.slug("blindspots-table", workload, name), name, table)
                for name, table in _spans(results, workload).items()
            ),
            *(
                _request_table(words.slug("in-flight-table", workload, name), name, table)
                for name, table in _requests(results, workload).items()
            ),
        ),
        hints=tuple(_together(hints)),
        notes=tuple(_together(notes)),
    )


def _together(said: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """What is said of several variants alike is said once, of them all."""
    for text in dict.fromkeys(text for texts in said.values() for text in texts):
        yield f"{words.listing([f'`{name}`' for name, texts in said.items() if text in texts])}: {text}"


def totals(table: pd.DataFrame) -> pd.Series[float]:
    """Self time of each operation, in ns; 0 where no part of it is known, and for rows that are no operation."""
    known = table.reindex(columns=_PARTS).fillna(0).clip(lower=0).sum(axis=1) > 0
    operation = ~table["name"].astype(str).str.startswith(_OUTSIDE)
    return stacked.bars(table).lengths.where(known & operation, 0.0)


def _table(key: str, variant: str, table: pd.DataFrame) -> Table:
    table = table.dropna(axis="columns", how="all")
    link = data_link(table, key)
    caption = f"Every operation of `{variant}`: self time by what it was, summed over the run."
    made = tables.from_frame(key, caption, table, (link,) if link else ())
    exceeded = "unexplained_ns" in table and bool((table["unexplained_ns"] < 0).any())
    return replace(made, more=" ".join(filter(None, (made.more, _EXCEEDED)))) if exceeded else made


def _request_table(key: str, variant: str, table: pd.DataFrame) -> Table:
    link = data_link(table, key)
    caption = (
        f"Every kind of request of `{variant}`: time in flight by what it was, summed over the captures."
    )
    return tables.from_frame(key, caption, table, (link,) if link else ())


_KINDS_OF_TIME = {
    "on_cpu": "on CPU", "blocked": "blocked in the kernel", "awaiting": "awaiting", "fuse": "FUSE queue and kernel"
}  # fmt: skip
"""As `Sight` has them -> in words."""


def sight(results: Results) -> Table | None:
    """Which profiler of this experiment sees which kind of time: those that the account is made from first."""
    asked = {plan.name for plan in results.plan.profilers}
    looking = [(name, p) for name, p in profilers.REGISTRY.items() if name in asked and p.shows]
    looking.sort(key=lambda each: each[1].account == AccountParts())
    if not looking:
        return None
    rows = tuple(
        (Cell(said, strong=True), *(Cell(getattr(profiler.shows, kind)) for _, profiler in looking))
        for kind, said in _KINDS_OF_TIME.items()
    )
    columns = (Column("kind of time"), *(Column(name) for name, _ in looking))
    return Table("sight", "Which profiler sees which kind of time.", columns, rows)


def asked(plan: PlanFile) -> bool:
    """Whether the experiment says one of the two `recorders`."""
    names = {profiler.name for profiler in plan.profilers}
    return any({*group.split(", ")} <= names for group in recorders())


def recorders() -> tuple[str, str]:
    """What an experiment says below `profilers` to be accounted: by operation, and by request."""
    by_operation = (*profilers.giving("spans"), *profilers.giving("polled"))
    return ", ".join(by_operation), ", ".join(profilers.accounting_requests())
