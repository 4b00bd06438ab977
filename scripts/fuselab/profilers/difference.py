"""What moved from one profile to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fuselab import profilers
from fuselab.analysis.folded import Folded, Picture, difference, read_folded, renamed, scaled
from fuselab.analysis.movers import Side, find_movers, write_movers
from fuselab.analysis.symbols.spelling import common_spelling
from fuselab.files import write_json
from fuselab.profilers.processing import MANGLING
from fuselab.programs import tool
from fuselab.records.derived import DifferenceNote
from fuselab.records.places import DIFF, DIFF_FLAMEGRAPH, DIFF_FOLDED, FOLDED, MOVERS
from fuselab.records.profile import Profile, read_profile


def diff(baseline: Path, variant: Path, out: Path) -> None:
    """What moved from one processed folder to another: diff.folded, diff.svg, movers.csv, and diff.json.

    Where a side has no picture there is no difference either: diff.json says whose, and why.
    """
    out.mkdir(parents=True, exist_ok=True)
    sides = [read_profile(baseline), read_profile(variant)]
    for folder, profile in zip((baseline, variant), sides, strict=True):
        if not profile.has_picture:
            side = folder.parent.parent.name
            write_json(out / DIFF, DifferenceNote(f"no difference: {side}: {' '.join(profile.notes)}"))
            return
    write_json(out / DIFF, _compare(baseline, variant, sides, out))


def _compare(baseline: Path, variant: Path, sides: Sequence[Profile], out: Path) -> DifferenceNote:
    """Write diff.folded, diff.svg and movers.csv; return what a reader must know of them."""
    before, after = sides
    profiler = profilers.REGISTRY[after.profiler]
    captured = [
        [read_folded(path, after.unit) for path in sorted(folder.glob("folded.[0-9]*.txt"))]
        for folder in (baseline, variant)
    ]
    whole = [read_folded(folder / FOLDED, after.unit) for folder in (baseline, variant)]
    names, remark = _common_names(sides, whole)
    captured = [[renamed(folded, names) for folded in side] for side in captured]
    whole = [renamed(folded, names) for folded in whole]
    pair = [
        Side(stacks, profile.operations_by_capture, profile.bytes_by_capture)
        for stacks, profile in zip(captured, sides, strict=True)
    ]
    found = find_movers(pair[0], pair[1], profiler.compared, max(profile.sample_value for profile in sides))
    write_movers(out / MOVERS, found.rows)
    note = f"{found.note} {remark}".strip()
    if not whole[1]:
        gone = "The variant has no stack to draw: the table has what is gone."
        return DifferenceNote(
            f"{note} {gone if whole[0] else 'Neither side has a stack to draw.'}", found.scale
        )
    if factor := {
        # Both sides at the variant's load: the colours then show what an operation costs, not how many there were.
        "per operation": after.operations / max(before.operations, 1),
        "by share": whole[1].total / max(whole[0].total, 1),
        "as it is": 0.0,
    }[found.scale]:
        whole[0] = scaled(whole[0], factor)
    variants = [folder.parents[1].name for folder in (baseline, variant)]
    picture = Picture(
        title=f"{profiler.title}: {variants[1]} against {variants[0]}", subtitle="red: more, blue: less"
    )
    difference(
        tool("inferno-flamegraph"), whole[0], whole[1], out / DIFF_FOLDED, out / DIFF_FLAMEGRAPH, picture
    )
    return DifferenceNote(note, found.scale)


def _common_names(sides: Sequence[Profile], whole: Sequence[Folded]) -> tuple[Mapping[str, str], str]:
    """Other names for functions where the two sides spell them differently, and what a reader must know of that."""
    before, after = (str(profile.figures.get(MANGLING, "")) for profile in sides)
    if before == after or not (before and after):
        return {}, ""
    seen = [{frame for stack in folded.stacks for frame in stack} for folded in whole]
    return common_spelling(seen[0], seen[1]), (
        f"Rust's names are mangled in two ways ({before}; {after}): where one of them does not tell functions apart, "
        "they are compared as one."
    )
