"""The job file of a load as fio gets it: what fuselab adds to the options of an experiment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fuselab.targets.model import MOUNTPOINTS
from fuselab.workloads.base import LoadContext, Settings
from fuselab.workloads.fio import timing
from fuselab.workloads.fio.parse_only import job_text
from fuselab.workloads.fio.timing import Options
from fuselab.workloads.running import Ended, finish

_DIRECTORY = "FUSELAB_DIRECTORY"
_DIRECTORIES = "FUSELAB_DIRECTORIES"
_RANDSEED = "FUSELAB_RANDSEED"
_BEGIN = "FUSELAB_BEGIN"
AWAITED: Options = {"exec_prerun": f"${{{_BEGIN}}}"}
"""Of a load that says when it begins: fio has looked up all of its files then, and made what was not there."""
DIRECTORY: Options = {"directory": f"${{{_DIRECTORY}}}"}
_BASE: Options = {
    **DIRECTORY,
    # The seed decides every offset, so two runs of one block do the same I/O. As long as randrepeat is on, fio 3.33
    # takes its own seed for offsets, whatever randseed says (github.com/axboe/fio/issues/1502).
    "randrepeat": "0",
    "randseed": f"${{{_RANDSEED}}}",
    "group_reporting": "1",
    # Percentiles of the whole latency: with buffered I/O an asynchronous engine waits in the submission.
    "lat_percentiles": "1",
    "clat_percentiles": "0",
    "write_bw_log": "fio",
    "write_lat_log": "fio",
    "log_unix_epoch": "1",
    "per_job_logs": "0",
}
_MOUNTPOINT = re.compile(r"\{mountpoint([0-9]*)\}")


def rendered(settings: Settings) -> str:
    """The job file; `FUSELAB_DIRECTORY` and `FUSELAB_RANDSEED` in its environment complete it."""
    jobs: Mapping[str, Options] = settings["jobs"]
    shared: Options = settings.get("global", {})
    step_ms = str(timing.log_step_ms({**shared, **job} for job in jobs.values()))
    # With fio's own 500 ms for bwavgtime the log of a short load begins in its middle.
    common = {**_BASE, "log_avg_msec": step_ms, "bwavgtime": step_ms, **_placed(shared)}
    return job_text(
        {"global": common, **{name: _placed(timing.timed(job, shared)) for name, job in jobs.items()}}
    )


def run_fio(
    job: Path,
    output: str,
    randseed: int,
    timeout_s: float,
    context: LoadContext,
    awaited: bool = False,
) -> Ended:
    """fio with the job file `job`, its JSON in the file `output` of the run folder; `awaited` says what `job` does."""
    env = {_RANDSEED: str(randseed)}
    env[_DIRECTORIES] = ":".join(map(str, context.directories))  # no path of a run has a colon
    for number, directory in enumerate(context.directories, 1):
        env[_variable(number)] = str(directory)
    argv = ["fio", "--output-format=json", f"--output={output}", "--eta=never", str(job)]
    begins = _BEGIN if awaited else None
    ended = finish(argv, context, cwd=context.out, env=env, log="fio.log", timeout_s=timeout_s, begins=begins)
    for empty in context.out.glob("*.prerun.txt"):
        empty.unlink()
    return ended


def _variable(number: int) -> str:
    """Name of the variable that holds the place of the mount `number` while fio runs."""
    return _DIRECTORY if number == 1 else f"{_DIRECTORY}_{number}"


def _placed(job: Options) -> Options:
    """`directory: {mountpoint2}` as a variable, for a job file says the same wherever the mount is."""
    if "directory" not in job:
        return job
    text = job["directory"].replace(MOUNTPOINTS, f"${{{_DIRECTORIES}}}")
    text = _MOUNTPOINT.sub(lambda match: f"${{{_variable(int(match[1] or 1))}}}", text)
    return {**job, "directory": text}
