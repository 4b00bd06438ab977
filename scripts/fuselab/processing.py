"""From finished captures to profiles, and from two profiles to what moved between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from fuselab import profilers, workloads
from fuselab.files import write_json
from fuselab.measure import CaptureRecord
from fuselab.paths import tool
from fuselab.profilers.base import CaptureFolder, Profile, Tools


def tools() -> Tools:
    """Programs that processing calls. Raises FileNotFoundError for the first that is missing."""
    return Tools(
        inferno_flamegraph=tool("inferno-flamegraph"),
        inferno_diff_folded=tool("inferno-diff-folded"),
        perf=tool("perf"),
        jeprof=tool("jeprof"),
    )


def process(profiler: str, folders: Sequence[Path], kind: str, binary: Path, out: Path) -> Profile:
    """Make `out` (emptied) from every capture of one variant, workload and profiler; leave profile.json in it.

    A capture that failed, or that says nothing, is a refused profile with the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    module = profilers.REGISTRY[profiler]
    records = [
        msgspec.json.decode((folder / "capture.json").read_bytes(), type=CaptureRecord) for folder in folders
    ]  # fmt: skip
    failed = next((record for record in records if record.status == "failed"), None)
    if failed is not None:
        profile = refused(profiler, f"the capture failed: {failed.reason}", "", len(folders))
    else:
        captures = [_capture(folder, kind, binary) for folder in folders]
        profile = module.process(captures, out, tools())
    write_json(out / "profile.json", profile)
    return profile


def _capture(folder: Path, kind: str, binary: Path) -> CaptureFolder:
    traffic = workloads.REGISTRY[kind].traffic(folder)
    return CaptureFolder(folder, int(folder.name), binary, traffic.operations, traffic.bytes)


def refused(profiler: str, reason: str, fix: str, captures: int) -> Profile:
    """A profile that could not be made, with the reason and the setting to change."""
    return Profile(
        profiler=profiler,
        status="refused",
        unit=profilers.REGISTRY[profiler].unit,
        total=0,
        captures=captures,
        operations=0,
        bytes=0,
        source_files=(),
        notes=(reason,),
        fix=fix,
    )


def read_profile(folder: Path) -> Profile:
    return msgspec.json.decode((folder / "profile.json").read_bytes(), type=Profile)


def diff(baseline: Path, variant: Path, out: Path) -> None:
    """What moved from one processed folder to another: diff.folded, diff.svg, movers.csv, and diff.json.

    Where a side has no picture there is no difference either: diff.json says whose, and why.
    """
    out.mkdir(parents=True, exist_ok=True)
    sides = [read_profile(baseline), read_profile(variant)]
    for folder, profile in zip((baseline, variant), sides, strict=True):
        if profile.status not in ("ok", "limited"):
            side = folder.parent.parent.name
            write_json(out / "diff.json", {"note": f"no difference: {side}: {' '.join(profile.notes)}"})
            return
    write_json(out / "diff.json", {"note": compare_profiles(baseline, variant, sides, out)})


def compare_profiles(baseline: Path, variant: Path, sides: Sequence[Profile], out: Path) -> str:
    """Write diff.folded, diff.svg and movers.csv; return what a reader must know of them."""
    from fuselab.analysis.folded import Picture, difference, read_folded, scaled
    from fuselab.analysis.movers import Side, find_movers, write_movers

    before, after = sides
    module = profilers.REGISTRY[after.profiler]
    grows = module.grows_with_load
    captured = [
        [read_folded(path, after.unit) for path in sorted(folder.glob("folded.[0-9]*.txt"))]
        for folder in (baseline, variant)
    ]
    pair = [
        Side(stacks, profile.operations_by_capture, profile.bytes_by_capture)
        for stacks, profile in zip(captured, sides, strict=True)
    ]
    rows, note = find_movers(pair[0], pair[1], grows)
    write_movers(out / "movers.csv", rows)
    whole = [read_folded(folder / "folded.txt", after.unit) for folder in (baseline, variant)]
    if grows and before.operations and after.operations:
        # Both sides at the variant's load: the colours then show what an operation costs, not how many there were.
        whole[0] = scaled(whole[0], after.operations / before.operations)
    used = tools()
    names = [folder.parents[1].name for folder in (baseline, variant)]
    picture = Picture(
        title=f"{module.title}: {names[1]} against {names[0]}", subtitle="red: more, blue: less"
    )
    programs = (used.inferno_diff_folded, used.inferno_flamegraph)
    difference(programs, whole[0], whole[1], out / "diff.folded", out / "diff.svg", picture)
    return note
