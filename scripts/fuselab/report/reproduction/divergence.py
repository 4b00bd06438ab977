"""What differs between a bundle and this project besides the figures: where to look when a verdict did not hold."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fuselab.project import find
from fuselab.records.build import BuildRecord
from fuselab.records.plan import PlanFile
from fuselab.report import words
from fuselab.report.reading import Results

_DEFINITIONS = ("targets/", "services/")


def divergence(archive: zipfile.ZipFile, results: Results, project: Path) -> Iterator[str]:
    """One sentence for each thing that is not as it was. `project` has the definitions that were used here."""
    if damaged := _damaged(archive):
        yield f"Not as the bundle was packed, by its own checksums: {words.listing(damaged)}."
    if archive.read("experiment.yaml") != results.inputs.experiment.read_bytes():
        yield "The experiment file here differs from the one in the bundle: differences may come from there."
    for name in sorted(archive.namelist()):
        if not name.startswith(_DEFINITIONS) or name.endswith("/"):
            continue
        path = find(project, name)
        if not path.is_file() or archive.read(name) != path.read_bytes():
            yield f"`{name}` here differs from the one in the bundle: differences may come from there."
    yield from _other_programs(archive, results)


def _damaged(archive: zipfile.ZipFile) -> list[str]:
    """Files whose checksum is another one, or missing, or that are missing. The list is as sha256sum(1) writes it."""
    there = {name for name in archive.namelist() if not name.endswith("/")}
    listed = {"checksums.sha256", "ro-crate-metadata.json"}
    found = []
    for line in archive.read("checksums.sha256").decode().splitlines():
        digest, _, name = line.partition("  ")
        if name in listed:  # each is read once
            continue
        listed.add(name)
        if name not in there or hashlib.sha256(archive.read(name)).hexdigest() != digest:
            found.append(f"`{name}`")
    return found + [f"`{name}`" for name in sorted(there - listed)]


def _other_programs(archive: zipfile.ZipFile, results: Results) -> Iterator[str]:
    """Variants whose timed program came from other sources. The same source makes other bytes elsewhere."""
    theirs = msgspec.json.decode(archive.read("plan.json"), type=PlanFile)
    packed = {variant.name: f"builds/{variant.timed_build}.json" for variant in theirs.variants}
    for name, here in results.timed_builds.items():
        if packed.get(name) not in archive.namelist():
            continue
        there = msgspec.json.decode(archive.read(packed[name]), type=BuildRecord)
        if _origin(there) != _origin(here) or there.dirty:
            yield f"`{name}` was built there from {_origin(there)}, here from {_origin(here)}."


def _origin(build: BuildRecord) -> str:
    if build.revision is None:
        return f"version {build.version}" if build.version else "sources of no revision"
    return words.revision(build.revision, build.dirty)
