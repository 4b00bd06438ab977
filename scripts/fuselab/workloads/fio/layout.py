"""The files that fio's jobs find before they begin, made by fio itself with its option `create_only`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuselab.workloads.base import LoadContext, LoadResult, Settings
from fuselab.workloads.fio import fio_json, rendering, timing

if TYPE_CHECKING:
    from fuselab.records.request import Load

OUTPUT = "layout.json"
_CREATE_ONLY: timing.Options = {"create_only": "1"}


def finding(settings: Settings) -> Settings:
    """The settings with those jobs alone whose files must be there, and as large as they will be: what only writes
    makes its files anew."""
    jobs = {
        name: settings["jobs"][name]
        for name, job in timing.complete_jobs(settings).items()
        if timing.moves(timing.mode(job), "read") or job.get("overwrite", "0") != "0"
    }
    return {**settings, "jobs": jobs}


def lay_out(load: Load, context: LoadContext) -> LoadResult:
    """Make the files of those jobs: `layout.fio`, and what fio says of it, in the folder of the run."""
    job = context.out / "layout.fio"
    job.write_text(rendering.rendered(timing.overlaid(finding(load.settings), _CREATE_ONLY)))
    ended = rendering.run_fio(job, OUTPUT, load.randseed, load.timeout_s, context)
    return fio_json.result(context.out / OUTPUT, ended, load.timeout_s, lays_out=True)
