"""All lines of the doctor, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fuselab.doctor import machine, noise, tools
from fuselab.doctor.base import Line
from fuselab.experiment.loading import Loaded
from fuselab.paths import cache_folder
from fuselab.records.places import Results


def examine(root: Path, loaded: Loaded | None) -> Iterator[Line]:
    """Of this machine; with an experiment, of what that needs too."""
    yield from machine.kernel()
    yield from machine.fuse()
    yield from machine.namespaces()
    yield from tools.programs()
    yield from tools.jemalloc()
    yield from machine.recording()
    yield from noise.governor()
    yield from noise.load()
    own = loaded.experiment.state if loaded else None
    yield from noise.disk("results and the state of runs", Results(root).state_of(own), "fuselab clean")
    # All of it is made again when it is needed.
    yield from noise.disk("builds and caches", cache_folder(), f"rm -r {cache_folder()}")
    if loaded is not None:
        from fuselab.doctor.experiment import needs

        yield from needs(loaded)
