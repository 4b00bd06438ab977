"""The verifying run: data with a checksum in every block is written, and read back after a remount."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import replace

from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.fio import fio_json
from fuselab.workloads.fio.parse_only import job_text
from fuselab.workloads.fio.rendering import DIRECTORY, run_fio
from fuselab.workloads.fio.timing import Options

_SHARED: Options = {
    **DIRECTORY,
    "randseed": "1",
    "group_reporting": "1",
    "verify": "crc32c",
    "verify_fatal": "1",
    "verify_state_save": "0",
    "end_fsync": "1",
}
_JOBS: Mapping[str, Options] = {
    "sequential": {"bs": "128k", "size": "64m"},
    "random": {"bs": "4k", "size": "8m", "stonewall": "1"},
}
_WRITTEN_MIB = 72
"""The sum of their sizes."""
_TIMEOUT_S = 300.0
_MEANING = (
    (
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        f"the verifying run writes {_WRITTEN_MIB} MiB, and found no room for them",
    ),
    (
        (errno.EROFS,),
        "the mount is read-only, and the verifying run writes. If it is meant to be: `mount: {read_only: true}` in "
        "its target.yaml, a step of its `prepare` that makes a file, and a load that reads it (rw: read, filename: it)",
    ),
)
"""What an error means for a run that writes."""


def verify(context: LoadContext, written: bool) -> LoadResult:
    """Write 72 MiB and read them back; read them again if `written`."""
    word = "read" if written else "write"
    jobs = {name: {"rw": f"rand{word}" if name == "random" else word, **own} for name, own in _JOBS.items()}
    if not written:
        # Slow on purpose: a filesystem that passes only in a burst has not passed.
        jobs["sequential"]["rate"] = "50m"
    job = context.out / f"verify.{word}.fio"
    job.write_text(job_text({"global": _SHARED, **jobs}))
    output = f"verify.{word}.json"
    ended = run_fio(job, output, 0, _TIMEOUT_S, context)
    result = fio_json.result(context.out / output, ended, _TIMEOUT_S)
    if ended.timed_out:
        limit = "the verifying run was not answered in time, and its limit is fixed"
        return replace(result, reason=f"{limit}: {result.reason}")
    for codes, why in _MEANING:
        if any(os.strerror(code) in (result.reason or "") for code in codes):
            return replace(result, reason=f"{why}: {result.reason}")
    return result
