"""What a profiler saw second by second: every table of it that has a time column and a byte column, as a figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fuselab.report import words
from fuselab.report.figures import base, runs
from fuselab.report.figures.drawing import Drawing
from fuselab.report.reading import Results

_CAPTION = (
    "A line that keeps rising holds on to what it allocates; one that levels off has a cache that filled. Where it "
    "falls at the end, the target was stopping and freed what it had."
)


def drawings(results: Results, profiler: str, workload: str) -> list[Drawing]:
    """Every table of the profiler that has a time column and a byte column, drawn for all variants at once."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for name in results.plan.names():
        processed = results.profiles.get((name, workload, profiler))
        for title, file in processed.profile.tables.items() if processed else ():
            part = _time_and_bytes(processed.folder / file) if processed else pd.DataFrame()
            if not part.empty:
                parts.setdefault(title, []).append(part.assign(variant=name))
    variants = base.places(results.plan.names())
    return [
        runs.over_time(
            words.slug(profiler, workload, title),
            pd.concat(found),
            variants,
            title,
            "bytes",
            "the first dump",
            _CAPTION,
        )
        for title, found in parts.items()
    ]


def _time_and_bytes(path: Path) -> pd.DataFrame:
    """run, time_s, value (bytes) of a Parquet table that has them; empty if it has not."""
    frame = pd.read_parquet(path) if path.suffix == ".parquet" and path.is_file() else pd.DataFrame()
    bytes_column = next((column for column in frame.columns if str(column).endswith("_bytes")), None)
    if "time_s" not in frame or bytes_column is None:
        return pd.DataFrame()
    run = frame["capture"] if "capture" in frame else pd.Series(1, index=frame.index)
    return pd.DataFrame({"run": run, "time_s": frame["time_s"], "value": frame[bytes_column]})
