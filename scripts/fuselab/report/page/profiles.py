"""Each profiler in turn: a tab for each variant and each difference, its quality, its movers, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from fuselab.records.contrast import Contrast
from fuselab.records.places import DIFF_FOLDED, FLAMEGRAPH, FOLDED, TABLE
from fuselab.records.plan import ProfilerPlan
from fuselab.records.profile import Profile, Scale
from fuselab.report import tables, words
from fuselab.report.arising import arising, by_change
from fuselab.report.context import (
    Fact,
    Picture,
    ProfilerView,
    ProfilerWorkload,
    Tab,
    Table,
)
from fuselab.report.embed import Carrier, is_flamegraph, view
from fuselab.report.page import together
from fuselab.report.reading import Diff, Processed, Results
from fuselab.workloads import REGISTRY

BADGES = {"limited": "limited", "refused": "refused", "unavailable": "unavailable"}
TABLE_ROWS = 60
_DATA_ROWS = 3000
"""Of a table, behind the link to its data."""
_QUALITY = {
    "whole_stack_share": "stacks that are whole",
    "named_frame_share": "frames with a name",
    "rust_mangling": "mangling of Rust names",
    "sampling_error": "sampling error",
}
_FLAMEGRAPH = (
    "A box is a function and hangs below its caller; its width is its share of the total ({unit}). Look for wide "
    "boxes with little below them: that is where it goes. Left to right is no order in time."
)
_DIFFERENCE = (
    "Red: `{variant}` has more of it than `{baseline}`, blue: less; the stronger, the larger the part of the box that "
    "changed, and pale where that is little of the whole. A box is as wide as the larger of both, so what vanished is "
    "there too{load}."
)
_BROUGHT: Mapping[Scale, str] = {
    "per operation": ", and the baseline is brought to the load of the variant",
    "by share": ", and the baseline is brought to as much in all as the variant has",
    "as it is": "",
}
_BUSY = "busy_ns"
_LABELLED = (
    "id", "kind", "name", "location", "function", "size_bytes", "dropped", "total_ns", "first_poll_after_ns",
)  # fmt: skip
_GRAPH = (
    "A box is a function, the larger the more it holds by itself; arrows lead to what it calls, with what that holds, "
    "in bytes. What is too small to matter is left out."
)
_MOVER_COLUMNS = (
    "function", "moved", "baseline_self", "variant_self", "difference_self", "noise_self", "difference_total",
)  # fmt: skip
"""Those that are shown; movers.csv has more."""


def profilers(results: Results, carrier: Carrier) -> tuple[ProfilerView, ...]:
    numbered = enumerate(results.plan.profilers)
    return tuple(_profiler(results, carrier, number, plan) for number, plan in numbered)


def _profiler(results: Results, carrier: Carrier, number: int, plan: ProfilerPlan) -> ProfilerView:
    views = [
        _workload(results, carrier, f"profiler-{number}-{w}", plan, workload.name)
        for w, workload in enumerate(results.plan.workloads)
        if any(plan.name in c.profilers and c.workload == workload.name for c in results.plan.captures)
    ]
    skipped: dict[tuple[str, str], list[str]] = {}
    for skip in results.plan.skipped:
        if skip.profiler == plan.name:
            skipped.setdefault((skip.level, skip.reason), []).append(f"`{skip.variant}`")
    return ProfilerView(
        key=f"profiler-{number}",
        title=plan.title,
        sees=plan.sees.rstrip("."),
        blind_to=plan.blind_to.rstrip("."),
        workloads=tuple(views),
        skipped=tuple(
            f"{level} for {words.listing(names)}: {reason}" for (level, reason), names in skipped.items()
        ),
    )


def _workload(
    results: Results, carrier: Carrier, key: str, plan: ProfilerPlan, workload: str
) -> ProfilerWorkload:
    """Baseline, then each variant followed by its difference; controls last."""
    experiment = results.plan
    tabs: list[Tab | None] = []
    order = sorted(experiment.names(), key=lambda name: name in experiment.controls)
    for name in order:
        tabs.append(_side(results, carrier, f"{key}-{len(tabs)}", plan, workload, name))
        for contrast in experiment.contrasts:
            if contrast.variant == name:
                tabs.append(_difference(results, carrier, f"{key}-{len(tabs)}", plan, workload, contrast))
    found = tuple(tab for tab in tabs if tab is not None)
    first = next((tab for tab in found if tab.badge == "difference" and tab.pictures), None)
    found = tuple(replace(tab, opens=tab is first) for tab in found)
    return ProfilerWorkload(
        key,
        workload,
        found,
        (*_whom(results, workload), *together.findings(results, plan.name, workload)),
        together.tables(results, f"{key}-together", plan.name, workload),
        tuple(view(drawing) for drawing in together.drawings(results, plan.name, workload)),
    )


def _whom(results: Results, workload: str) -> tuple[str, ...]:
    """Said where profilers look at the load's own command: under all others it is who is named in the heading."""
    load = next(load for load in results.plan.workloads if load.name == workload)
    kind = REGISTRY.get(load.kind)
    if kind is None or kind.looked_at(load.settings) != "command":
        return ()
    program = next(iter(kind.called(load.settings)), workload)
    return (f"Looked at is the command `{program}` with all that it starts, and not the filesystem.",)


def _side(
    results: Results, carrier: Carrier, key: str, plan: ProfilerPlan, workload: str, variant: str
) -> Tab | None:
    processed = results.profiles.get((variant, workload, plan.name))
    if processed is None:
        return None
    profile, folder = processed.profile, processed.folder
    badge = BADGES.get(profile.status, "")
    if profile.status in ("refused", "unavailable"):
        return Tab(key, variant, badge, (), "; ".join(profile.notes) or "no reason was recorded", profile.fix)
    seen = _FLAMEGRAPH.format(unit=profile.unit)
    main = _flame(
        _programs(results),
        carrier,
        folder / FLAMEGRAPH,
        folder / FOLDED,
        profile.unit,
        f"{plan.title}: {variant}",
        seen,
    )
    return Tab(
        key=key,
        label=variant,
        badge=badge,
        pictures=(*main, *_others(results, carrier, processed, variant)),
        fix=profile.fix,
        quality=_quality(profile),
        notes=profile.notes,
        tables=tuple(_tables(carrier, key, processed)),
    )


def _flame(
    programs: frozenset[str], carrier: Carrier, drawn: Path, stacks: Path, unit: str, title: str, caption: str
) -> Iterator[Picture]:
    """The flamegraph of `stacks`, if there is one."""
    if drawn.is_file() and stacks.is_file():
        yield carrier.flame(drawn, stacks, unit, programs, title, caption)


def _others(results: Results, carrier: Carrier, processed: Processed, variant: str) -> Iterator[Picture]:
    """The pictures that the profiler added: of stacks where these lie beside it under the same name, else a graph."""
    profile = processed.profile
    for title, file in profile.pictures.items():
        path = processed.folder / file
        stacks, unit = path.with_suffix(".txt"), profile.units.get(file, profile.unit)
        if not path.is_file() or path.suffix != ".svg":
            continue
        if is_flamegraph(path) and stacks.is_file():
            yield from _flame(
                _programs(results),
                carrier,
                path,
                stacks,
                unit,
                f"{title}: {variant}",
                _FLAMEGRAPH.format(unit=unit),
            )
        else:
            yield carrier.picture(path, f"{title}: {variant}", _GRAPH)


def _programs(results: Results) -> frozenset[str]:
    """What the programs are called that profilers look at."""
    targets = {variant.target for variant in results.plan.variants}
    return frozenset({*targets, *(Path(build.binary).stem for build in results.builds)} - {""})


def _quality(profile: Profile) -> tuple[Fact, ...]:
    unit, _, rest = profile.unit.partition(" ")
    facts = [Fact("total", words.quantity(profile.total, unit) + (f" {rest}" if rest else ""))]
    facts += [Fact(*_figure(name, value)) for name, value in profile.figures.items()]
    facts.append(Fact("captures", words.count(profile.captures)))
    if profile.operations:
        facts.append(Fact("operations of the load", words.count(profile.operations)))
    if profile.bytes:
        facts.append(Fact("moved", words.quantity(profile.bytes, "bytes")))
    facts += [Fact(name, version) for name, version in profile.versions.items() if _used(profile, name)]
    return tuple(facts)


def _used(profile: Profile, tool: str) -> bool:
    """profile.json names all tools that were at hand: perf was used where its recordings are what was read."""
    return tool != "perf" or any(Path(file).suffix == ".data" for file in profile.source_files)


def _figure(name: str, value: float | int | str) -> tuple[str, str]:
    head, unit = tables.column(name, not isinstance(value, str))
    return _QUALITY.get(name, head.label), tables.cell(value, unit).text


def _tables(carrier: Carrier, key: str, processed: Processed) -> list[Table]:
    named = {"": TABLE} | dict(processed.profile.tables)
    found = []
    for i, (title, file) in enumerate(named.items()):
        path = processed.folder / file
        if path.is_file():
            frame, total = _read(path)
            name = f"{key}-table-{i}"
            links = carrier.table(frame, name, total, path)
            caption, shown = _caption(title, frame), frame.drop(columns=_not_shown(frame)).head(TABLE_ROWS)
            found.append(tables.from_frame(name, caption, shown, links, total, processed.profile.unit))
    return found


def _read(path: Path) -> tuple[pd.DataFrame, int]:
    """Tables come with the largest first, but those of tasks, which come as the tasks were spawned."""
    frame, total = tables.read_head(path, _DATA_ROWS)
    return tables.read_largest(path, _BUSY, _DATA_ROWS) if _BUSY in frame else (frame, total)


def _not_shown(frame: pd.DataFrame) -> list[str]:
    """Of tasks: what their label says already, and ids that mean nothing to a reader."""
    return [name for name in _LABELLED if name in frame] if _BUSY in frame else []


def _caption(title: str, frame: pd.DataFrame) -> str:
    if title:
        return f"{title}."
    if "stack" in frame:
        return "The largest stacks, innermost frame first: open one to see who called whom."
    if _BUSY in frame:
        return "The busiest tasks. Busy: inside a poll; scheduled: woken, and waiting for a thread; idle: the rest."
    if not {"function", "self", "total"} <= set(frame.columns):
        return "The largest first."
    kernel = " `_[k]`: in the kernel." if frame["function"].astype(str).str.endswith("_[k]").any() else ""
    return f"The largest functions. Self: in the function itself; total: with all that it calls.{kernel}"


def _difference(
    results: Results, carrier: Carrier, key: str, plan: ProfilerPlan, workload: str, contrast: Contrast
) -> Tab | None:
    diff = results.diffs.get((f"{contrast.variant}-vs-{contrast.baseline}", workload, plan.name))
    return None if diff is None else difference(carrier, key, plan, diff, contrast, _programs(results))


def difference(
    carrier: Carrier, key: str, plan: ProfilerPlan, diff: Diff, contrast: Contrast, programs: frozenset[str]
) -> Tab:
    """What moved from one side of `contrast` to the other. `programs`: what the programs looked at are called."""
    label = f"{contrast.variant} − {contrast.baseline}"
    seen = _DIFFERENCE.format(**vars(contrast), load=_BROUGHT[diff.scale])
    stacks = diff.folder / DIFF_FOLDED
    pictures = tuple(
        _flame(programs, carrier, diff.picture, stacks, plan.unit, f"{plan.title}: {label}", seen)
    )
    movers = (
        [_movers(carrier, f"{key}-movers", plan.unit, diff, contrast, programs)]
        if diff.movers.is_file()
        else []
    )
    return Tab(
        key=key,
        label=label,
        badge="difference",
        pictures=pictures,
        reason="" if pictures else diff.note or "there is no difference to draw",
        notes=(diff.note,) if diff.note and pictures else (),
        tables=tuple(movers),
    )


def _movers(
    carrier: Carrier, key: str, unit: str, diff: Diff, contrast: Contrast, programs: frozenset[str]
) -> Table:
    """movers.csv. Its column `unit` says what the figures are in, which may be per operation or per byte."""
    frame, total = tables.read_head(diff.movers, _DATA_ROWS)
    links = carrier.table(frame, key, total, diff.movers)
    frame = by_change(frame, programs, arising(diff.folder / DIFF_FOLDED, programs))
    if frame.empty:
        sides = f"`{contrast.baseline}` to `{contrast.variant}`"
        nothing = f"No function moved from {sides}: the data has all {total} looked at."
        return tables.from_frame(key, nothing, frame, links)
    units = list(frame["unit"].unique()) if "unit" in frame else []
    said = str(units[0]) if len(units) == 1 else unit
    shown = frame[[name for name in _MOVER_COLUMNS if name in frame]].dropna(axis="columns", how="all")
    caption = (
        f"What moved from `{contrast.baseline}` to `{contrast.variant}`, in {said}. Own functions come first, of these "
        "that in which most of it arose, with what it calls of libraries and the kernel."
    )
    return tables.from_frame(key, caption, shown.head(TABLE_ROWS), links, len(shown), said)
