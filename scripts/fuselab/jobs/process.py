"""From finished captures to profiles, and from two profiles to what moved between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fuselab import profilers
from fuselab.files import read_json, write_json
from fuselab.profilers.base import CaptureFolder, Tools
from fuselab.programs import tool
from fuselab.records.capture import CaptureRecord, read_capture
from fuselab.records.derived import DifferenceNote
from fuselab.records.places import DIFF
from fuselab.records.profile import Profile
from fuselab.records.request import REQUEST
from fuselab.workloads import reading
from fuselab.workloads.base import Traffic

if TYPE_CHECKING:
    from fuselab.analysis.folded import Folded


def tools() -> Tools:
    """Programs that processing calls. Raises FileNotFoundError for the first that is missing."""
    return Tools(
        inferno_flamegraph=tool("inferno-flamegraph"),
        perf=tool("perf"),
        jeprof=tool("jeprof"),
    )


def process(profiler: str, folders: Sequence[Path], kind: str, binary: Path, out: Path) -> Profile:
    """Make `out` (emptied) from every capture of one variant, workload and profiler; leave profile.json in it.

    A capture that says nothing is a refused profile with the reason. One that failed is read as far as it came, and
    marked.
    """
    out.mkdir(parents=True, exist_ok=True)
    module = profilers.REGISTRY[profiler]
    records = [read_capture(folder) for folder in folders]
    failed = next((record for record in records if record.status == "failed"), None)
    if failed is not None and not all((folder / REQUEST).is_file() for folder in folders):
        profile = _never_run(profiler, failed.reason or "", len(folders))
        write_json(out / "profile.json", profile)
        return profile
    captures = [
        _capture(folder, kind, binary, record) for folder, record in zip(folders, records, strict=True)
    ]
    profile = module.process(captures, out, tools())
    if failed is not None:
        profile = _marked(profile, failed.reason or "it does not say why")
    elif module.written_by_target and (ending := next(filter(None, (c.ending() for c in captures)), "")):
        profile = _incomplete(profile, ending)
    write_json(out / "profile.json", profile)
    return profile


def _capture(folder: Path, kind: str, binary: Path, record: CaptureRecord) -> CaptureFolder:
    # What a load did that was cut off is not known: its figures are not to be divided by.
    traffic = Traffic(0, 0) if record.status == "failed" else reading.traffic(kind, folder)
    return CaptureFolder(folder, int(folder.name), binary, traffic.operations, traffic.bytes)


def _never_run(profiler: str, reason: str, captures: int) -> Profile:
    """Of a variant that failed before anything could look at it."""
    return Profile(
        profiler=profiler,
        status="refused",
        unit=profilers.REGISTRY[profiler].unit,
        total=0,
        captures=captures,
        operations=0,
        bytes=0,
        source_files=(),
        notes=(f"The capture failed: {reason}",),
    )


def _marked(profile: Profile, reason: str) -> Profile:
    """A profile of a capture that failed: what it has is limited, and the failure is the first thing said."""
    if profile.status == "refused":
        return replace(profile, notes=(f"The capture failed: {reason}", *profile.notes))
    cut = f"The capture failed, and is shown as far as it came: {reason}"
    return replace(profile, status="limited", notes=(cut, *profile.notes))


def _incomplete(profile: Profile, ending: str) -> Profile:
    """A file that was never completed may look whole: some layers write whole lines only."""
    if profile.status == "refused":
        return profile
    note = f"The {ending}, so its file may lack the end: let it leave through main on the stop signal."
    return replace(profile, status="limited", notes=(note, *profile.notes))


def read_profile(folder: Path) -> Profile:
    return read_json(folder / "profile.json", Profile)


def diff(baseline: Path, variant: Path, out: Path) -> None:
    """What moved from one processed folder to another: diff.folded, diff.svg, movers.csv, and diff.json.

    Where a side has no picture there is no difference either: diff.json says whose, and why.
    """
    out.mkdir(parents=True, exist_ok=True)
    sides = [read_profile(baseline), read_profile(variant)]
    for folder, profile in zip((baseline, variant), sides, strict=True):
        if profile.status not in ("ok", "limited"):
            side = folder.parent.parent.name
            write_json(out / DIFF, DifferenceNote(f"no difference: {side}: {' '.join(profile.notes)}"))
            return
    write_json(out / DIFF, DifferenceNote(compare_profiles(baseline, variant, sides, out)))


def compare_profiles(baseline: Path, variant: Path, sides: Sequence[Profile], out: Path) -> str:
    """Write diff.folded, diff.svg and movers.csv; return what a reader must know of them."""
    from fuselab.analysis.folded import Picture, difference, read_folded, renamed, scaled
    from fuselab.analysis.movers import Side, find_movers, write_movers

    before, after = sides
    module = profilers.REGISTRY[after.profiler]
    grows = module.grows_with_load
    captured = [
        [read_folded(path, after.unit) for path in sorted(folder.glob("folded.[0-9]*.txt"))]
        for folder in (baseline, variant)
    ]
    whole = [read_folded(folder / "folded.txt", after.unit) for folder in (baseline, variant)]
    names, remark = _common_names(sides, whole)
    captured = [[renamed(folded, names) for folded in side] for side in captured]
    whole = [renamed(folded, names) for folded in whole]
    pair = [
        Side(stacks, profile.operations_by_capture, profile.bytes_by_capture)
        for stacks, profile in zip(captured, sides, strict=True)
    ]
    rows, note = find_movers(pair[0], pair[1], grows, max(profile.sample_value for profile in sides))
    write_movers(out / "movers.csv", rows)
    if grows and before.operations and after.operations:
        # Both sides at the variant's load: the colours then show what an operation costs, not how many there were.
        whole[0] = scaled(whole[0], after.operations / before.operations)
    if not whole[1]:
        gone = "The variant has no stack to draw: the table has what is gone."
        return f"{note} {remark}".strip() + " " + (gone if whole[0] else "Neither side has a stack to draw.")
    variants = [folder.parents[1].name for folder in (baseline, variant)]
    picture = Picture(
        title=f"{module.title}: {variants[1]} against {variants[0]}", subtitle="red: more, blue: less"
    )
    flamegraph = tools().inferno_flamegraph
    difference(flamegraph, whole[0], whole[1], out / "diff.folded", out / "diff.svg", picture)
    return f"{note} {remark}".strip()


def _common_names(sides: Sequence[Profile], whole: Sequence[Folded]) -> tuple[Mapping[str, str], str]:
    """Other names for functions where the two sides spell them differently, and what a reader must know of that."""
    from fuselab.analysis.symbols.spelling import common_spelling
    from fuselab.profilers.output import MANGLING

    before, after = (str(profile.figures.get(MANGLING, "")) for profile in sides)
    if before == after or not (before and after):
        return {}, ""
    seen = [{frame for stack in folded.stacks for frame in stack} for folded in whole]
    return common_spelling(seen[0], seen[1]), (
        f"Rust's names are mangled in two ways ({before}; {after}): where one of them does not tell functions apart, "
        "they are compared as one."
    )
