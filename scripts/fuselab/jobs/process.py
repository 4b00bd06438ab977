"""From the finished captures of one variant, workload and profiler to its profile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from fuselab import profilers
from fuselab.experiment.log_filters import replaced
from fuselab.files import write_json
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.processing import process_captures, without_picture
from fuselab.records.capture import CaptureRecord, read_capture
from fuselab.records.places import PROFILE
from fuselab.records.profile import Profile
from fuselab.records.request import REQUEST
from fuselab.targets.model import ProfilerSupport
from fuselab.workloads import reading
from fuselab.workloads.base import Traffic


def process(profiler: str, folders: Sequence[Path], kind: str, binary: Path, out: Path) -> Profile:
    """Make `out` (emptied) from every capture of one variant, workload and profiler; leave profile.json in it.

    A capture that says nothing is a refused profile with the reason. One that failed is read as far as it came, and
    marked.
    """
    out.mkdir(parents=True, exist_ok=True)
    profile = _profile(profiler, folders, kind, binary, out)
    write_json(out / PROFILE, profile)
    return profile


def _profile(name: str, folders: Sequence[Path], kind: str, binary: Path, out: Path) -> Profile:
    profiler = profilers.REGISTRY[name]
    records = [read_capture(folder) for folder in folders]
    failed = next((record for record in records if record.status == "failed"), None)
    if failed is not None and not all((folder / REQUEST).is_file() for folder in folders):
        # The variant failed before anything could look at it.
        return without_picture(profiler, len(folders), f"The capture failed: {failed.reason or ''}")
    captures = [
        _capture(folder, kind, binary, record) for folder, record in zip(folders, records, strict=True)
    ]
    if cannot := _cannot_look(name, failed, captures):
        reason, _, mend = cannot.partition("\n")
        return without_picture(profiler, len(folders), reason, mend, "unavailable")
    profile = _filtered(process_captures(profiler, captures, out), folders)
    if failed is not None:
        return _marked(profile, failed.reason or "it does not say why")
    if profiler.written_by_target and (ending := next(filter(None, (c.ending() for c in captures)), "")):
        return _incomplete(profile, ending)
    return profile


def _cannot_look(name: str, failed: CaptureRecord | None, captures: Sequence[CaptureFolder]) -> str:
    """Why this profiler could not look at a run, or nobody could; "" if all could."""
    own = next(filter(None, (capture.cannot_look(name) for capture in captures)), "")
    if own or failed is None or failed.fault != "not permitted":
        return own
    return failed.reason or ""


def _capture(folder: Path, kind: str, binary: Path, record: CaptureRecord) -> CaptureFolder:
    # What a load did that was cut off is not known: its figures are not to be divided by.
    traffic = Traffic(0, 0) if record.status == "failed" else reading.traffic(kind, folder)
    did = (traffic.operations, traffic.bytes, traffic.transfers, traffic.by_direction, traffic.latency_ns)
    return CaptureFolder(folder, int(folder.name), binary, *did)


def _filtered(profile: Profile, folders: Sequence[Path]) -> Profile:
    """Said first where a variant's own log filter has left out what the profiler records: that is why."""
    request = folders[0] / REQUEST
    if not request.is_file():
        return profile
    mount = json.loads(request.read_bytes())["mount"]
    supports = msgspec.convert(mount["profilers"], tuple[ProfilerSupport, ...])
    mine = (support for support in supports if support.name == profile.profiler)
    notes = tuple(f"{each}." for each in replaced(mine, dict(mount.get("env", ()))))
    return replace(profile, notes=(*notes, *profile.notes)) if notes else profile


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
