"""fio on the mount: its job file, its run, and what its JSON says."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from fuselab.records.request import Load
from fuselab.workloads.base import LoadContext, LoadResult, Metric, Traffic
from fuselab.workloads.fio import fio_json, logs, timing
from fuselab.workloads.fio.timing import Options
from fuselab.workloads.running import Ended, finish

OUTPUT = "fio.json"
_BANDWIDTH_LOG = "fio_bw.log"
_DIRECTORY = "FUSELAB_DIRECTORY"
_RANDSEED = "FUSELAB_RANDSEED"
_BASE: Options = {
    "directory": f"${{{_DIRECTORY}}}",
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
_ASYNCHRONOUS = ("libaio", "io_uring", "posixaio")
_MOUNTPOINT = re.compile(r"\{mountpoint([0-9]*)\}")
_VERIFY: Options = {
    "directory": f"${{{_DIRECTORY}}}",
    "randseed": "1",
    "group_reporting": "1",
    "verify": "crc32c",
    "verify_fatal": "1",
    "verify_state_save": "0",
    "end_fsync": "1",
}
_VERIFY_JOBS: Mapping[str, Options] = {
    "sequential": {"bs": "128k", "size": "64m"},
    "random": {"bs": "4k", "size": "8m", "stonewall": "1"},
}
VERIFY_MIB = 72
"""The sum of their sizes."""
_VERIFY_TIMEOUT_S = 300.0
_VERIFY_WORDS = (
    (
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        f"the verifying run writes {VERIFY_MIB} MiB, and found no room for them",
    ),
    (
        (errno.EROFS,),
        "the mount is read-only, and the verifying run writes. If it is meant to be: `mount: {read_only: true}` in "
        "its target.yaml, a step of its `prepare` that makes a file, and a load that reads it (rw: read, filename: it)",
    ),
)
"""What an error means for a run that writes."""


class Fio:
    """Settings: `{jobs: {section: {option: text}}, global: {option: text}}`."""

    name = "fio"
    needs_mount = True
    programs: tuple[str, ...] = ("fio",)

    def closed_loop(self, settings: Mapping[str, object]) -> bool:
        """Open is what keeps to a rate by a Poisson process, with several requests on their way at once."""
        jobs, shared = _jobs(settings)
        return not all(_arrives({**shared, **job}) for job in jobs.values())

    def asked(self, settings: Mapping[str, object]) -> Mapping[str, float]:
        """Rates of the directions in which every job has one of the same kind; a mixed job may be held by its mix."""
        jobs, shared = _jobs(settings)
        return timing.asked_rates([{**shared, **job} for job in jobs.values()])

    def metric_names(self, settings: Mapping[str, object]) -> Sequence[str]:
        jobs, shared = _jobs(settings)
        modes = [timing.mode({**shared, **job}) for job in jobs.values()]
        return [
            f"{direction}.{what}"
            for what in fio_json.METRICS
            for direction in ("write", "read")
            if any(_moves(mode, direction) for mode in modes)
        ]

    def render(self, settings: Mapping[str, object]) -> str:
        """The job file; `FUSELAB_DIRECTORY` and `FUSELAB_RANDSEED` in its environment complete it."""
        jobs, shared = _jobs(settings)
        step_ms = str(timing.log_step_ms({**shared, **job} for job in jobs.values()))
        # With fio's own 500 ms for bwavgtime the log of a short load begins in its middle.
        return _job_file(
            {**_BASE, "log_avg_msec": step_ms, "bwavgtime": step_ms, **_placed(shared)},
            {name: _placed(timing.timed(job, shared)) for name, job in jobs.items()},
        )

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        job = context.out / "load.fio"
        job.write_text(self.render(load.settings if context.ramp else _without_ramp(load.settings)))
        ended = self._fio(job, OUTPUT, load.randseed, load.timeout_s, context)
        return fio_json.result(context.out / OUTPUT, ended, load.timeout_s)

    def verify(self, context: LoadContext, written: bool) -> LoadResult:
        """Write 72 MiB with a checksum in every block and read them back; read them again if `written`."""
        word = "read" if written else "write"
        jobs = {
            name: {"rw": f"rand{word}" if name == "random" else word, **options}
            for name, options in _VERIFY_JOBS.items()
        }
        if not written:
            # Slow on purpose: a filesystem that passes only in a burst has not passed.
            jobs["sequential"]["rate"] = "50m"
        job = context.out / f"verify.{word}.fio"
        job.write_text(_job_file(_VERIFY, jobs))
        output = f"verify.{word}.json"
        ended = self._fio(job, output, 0, _VERIFY_TIMEOUT_S, context)
        result = fio_json.result(context.out / output, ended, _VERIFY_TIMEOUT_S)
        if ended.timed_out:
            limit = "the verifying run was not answered in time, and its limit is fixed"
            return replace(result, reason=f"{limit}: {result.reason}")
        for codes, why in _VERIFY_WORDS:
            if any(os.strerror(code) in (result.reason or "") for code in codes):
                return replace(result, reason=f"{why}: {result.reason}")
        return result

    def metrics(self, run: Path) -> Sequence[Metric]:
        return fio_json.metrics(fio_json.read(run / OUTPUT), logs.slopes(run / _BANDWIDTH_LOG))

    def after_drain(self, run: Path, drain_s: float) -> Sequence[Metric]:
        return fio_json.drained(fio_json.read(run / OUTPUT), drain_s)

    def traffic(self, run: Path) -> Traffic:
        return fio_json.traffic(fio_json.read(run / OUTPUT))

    def _fio(self, job: Path, output: str, randseed: int, timeout_s: float, context: LoadContext) -> Ended:
        env = {_RANDSEED: str(randseed)}
        for number, directory in enumerate(context.directories, 1):
            env[_variable(number)] = str(directory)
        argv = ["fio", "--output-format=json", f"--output={output}", "--eta=never", str(job)]
        return finish(argv, context, cwd=context.out, env=env, log="fio.log", timeout_s=timeout_s)


def _jobs(settings: Mapping[str, object]) -> tuple[Mapping[str, Options], Options]:
    return cast("Mapping[str, Options]", settings["jobs"]), cast("Options", settings.get("global", {}))


def _variable(number: int) -> str:
    """Name of the variable that holds the place of the mount `number` while fio runs."""
    return _DIRECTORY if number == 1 else f"{_DIRECTORY}_{number}"


def _placed(job: Options) -> Options:
    """`directory: {mountpoint2}` as a variable, for a job file says the same wherever the mount is."""
    if "directory" not in job:
        return job
    text = _MOUNTPOINT.sub(lambda match: f"${{{_variable(int(match[1] or 1))}}}", job["directory"])
    return {**job, "directory": text}


def _without_ramp(settings: Mapping[str, object]) -> Mapping[str, object]:
    jobs, _ = _jobs(settings)
    return {**settings, "jobs": {name: {**job, "ramp_time": "0"} for name, job in jobs.items()}}


def _arrives(job: Options) -> bool:
    """At random moments, and while others are on their way: a single request in flight holds up the next."""
    clones, depth = job.get("numjobs", "1"), job.get("iodepth", "1")
    several = clones != "1" or (depth != "1" and job.get("ioengine") in _ASYNCHRONOUS)
    return several and "rate_iops" in job and job.get("rate_process") == "poisson"


def _moves(mode: str, direction: str) -> bool:
    return mode in ("rw", "readwrite", "randrw", direction, f"rand{direction}") or (
        mode in ("trimwrite", "randtrimwrite") and direction == "write"
    )


def _job_file(shared: Options, jobs: Mapping[str, Options]) -> str:
    sections = {"global": shared, **jobs}
    blocks = [
        "\n".join([f"[{name}]", *(f"{k}={v}" for k, v in options.items())])
        for name, options in sections.items()
    ]
    return "\n\n".join(blocks) + "\n"
