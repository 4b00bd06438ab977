"""What is kept of a night: its figures, and its profiles in compact form.

Of a profiler that is `profile.json`, the folded stacks and the table: what was captured has gone by the time that a
change of level is known, and the difference of two nights can still be drawn.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fuselab.checksums import write_sums
from fuselab.files import rename, write_json
from fuselab.records.places import PROFILE, TABLE, Home
from fuselab.records.profile import read_profile

FOLDED_FILES, PACKED = "folded*.txt", ".gz"


def keep(files: Sequence[Path], processed: Iterable[Path], home: Home, night: str) -> None:
    """Copy what is small of the experiment as it is now to where `home` has that of a `night`. The folder is whole when
    it is there, whenever the job is killed: that night will not come again.

    `files` lie in `home`; every figure of every run is in metrics.csv, so that what is said of a night can be judged
    anew when its blocks have gone. `processed` are the folders of its profiles.
    """
    out = home.night(night).folder
    half = home.unfinished_night(night)
    shutil.rmtree(half, ignore_errors=True)  # of a job that was killed
    half.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, half / path.name)
    for folder in processed:
        _keep_profile(folder, half / folder.relative_to(home.folder))
    write_sums(half)
    rename(half, out)


def _keep_profile(folder: Path, out: Path) -> None:
    out.mkdir(parents=True)
    for path in folder.glob(FOLDED_FILES):
        (out / (path.name + PACKED)).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    if (folder / TABLE).is_file():
        shutil.copyfile(folder / TABLE, out / TABLE)
    # Other pictures and tables are not kept, and so not named.
    write_json(out / PROFILE, replace(read_profile(folder), pictures={}, units={}, tables={}))
