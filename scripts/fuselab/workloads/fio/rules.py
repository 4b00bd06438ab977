"""What an option of a fio job may not say here, by whichever door it comes: YAML, a job file, a variant, a preparation.

Three kinds: what the rig sets itself; what would change the shape of the output that fuselab reads; and what reaches
outside the mount, or starts a program. Names are fio's own (fio(1)), aliases with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from fuselab.workloads.fio import numbers
from fuselab.workloads.fio.numbers import Fault

_READS = "fuselab reads what fio writes"
_SHAPE = "fuselab shows reads and writes apart, and the latency of each: leave it out"
_TRACES = "it says itself which files are opened, anywhere: describe the I/O with rw, bs and size"
_PROGRAM = "a load starts no programs: write the command as a step of 'prepare'"
_MACHINE = "it changes the machine, not the load"
_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "output", "output-format", "per_job_logs", "log_avg_msec", "log_unix_epoch", "write_bw_log",
            "write_lat_log", "write_iops_log", "write_hist_log", "log_hist_msec", "log_hist_coarseness",
            "log_max_value", "log_offset", "log_prio", "log_compression", "log_compression_cpus",
            "log_store_compressed", "log_entries", "log_alternate_epoch", "log_alternate_epoch_clock_id",
            "bwavgtime", "iopsavgtime",
        ),
        _READS,
    ),
    **dict.fromkeys(("read_iolog", "write_iolog", "merge_blktrace_file", "replay_redirect"), _TRACES),
    **dict.fromkeys(("exec_prerun", "exec_postrun"), _PROGRAM),
    **dict.fromkeys(("cgroup", "cgroup_weight", "cgroup_nodelete", "ioscheduler"), _MACHINE),
    "randseed": "every block has a seed of its own, from the experiment's 'seed'",
    "opendir": "a job's files are in its 'directory': name them with 'filename'",
    "profile": "it is a load of fio's own that stands in no job: describe the I/O with rw, bs and size",
    "wait_for": "stages are told apart by 'stonewall': write that in the job that waits",
}  # fmt: skip
_PERCENTILES = frozenset((50.0, 99.0, 99.9))
_FOREIGN = frozenset(
    (
        "dev-dax", "exec", "external", "gfapi", "gfapi_async", "http", "io_uring_cmd", "libblkio", "libhdfs",
        "libiscsi", "libzbc", "mtd", "nbd", "net", "netsplice", "nfs", "null", "rados", "rbd", "rdma", "sg", "xnvme",
    )
)  # fmt: skip
"""Engines that reach over the network or to devices, run programs, or do nothing at all. fio may look for one of
another name in its own folder: what is no plain word may be a library anywhere."""
_MOUNT = re.compile(r"\{mountpoints\}|\{mountpoint[0-9]*\}(/.*)?")
"""What `directory` may be: a mount of this run, or a folder in it."""
_PARTS = re.compile(r"\$(?:jobname|jobnum|filenum|clientuid)\b")
PLAIN = "a job's name has letters, digits, spaces and _ . - in it"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def fault(name: str, text: str) -> Fault | None:
    """Why an option may not be `text`; None if it may."""
    reason = _refusal(name.lower(), text)
    return numbers.fault(name, text) if reason is None else Fault(reason)


def _refusal(name: str, text: str) -> str | None:
    if "\n" in text:
        return "an option is one line"
    if _CONTROL.search(text):
        return "it holds a control character, and fio would write that into its results: leave it out"
    if "$" in (_PARTS.sub("", text) if name == "filename_format" else text):
        return (
            "fio would put something else in its place, of this machine or its environment: write the value"
        )
    may_be, why = _MAY_BE.get(name, (None, _REFUSED.get(name)))
    return None if may_be is not None and may_be(text) else why


def plain_name(job: str) -> bool:
    """Whether a job may be called so: fio makes paths of the names of its jobs, and JSON."""
    return bool(re.fullmatch(r"[A-Za-z0-9_. +,=()%-]+", job)) and ".." not in job


def _paths(text: str) -> list[str]:
    """fio's paths of `a:b`; a colon in a name is `\\:`."""
    return re.split(r"(?<!\\):", text)


def _in_mount(text: str) -> bool:
    return all(_MOUNT.fullmatch(path) and ".." not in path.split("/") for path in _paths(text))


def _in_directory(text: str) -> bool:
    leads_out = any(path.startswith("/") or ".." in path.split("/") for path in _paths(text))
    return not leads_out and not text.startswith("{mountpoint")


def _plain_engine(text: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9_-]+", text)) and text not in _FOREIGN


def _all_percentiles(text: str) -> bool:
    return {float(word) for word in re.findall(r"[0-9]+(?:\.[0-9]+)?", text)} >= _PERCENTILES


def _one_of(*values: str) -> Callable[[str], bool]:
    return values.__contains__


_ENGINE = "a load does its I/O on files of the mount: sync, psync, libaio, io_uring and mmap do"
_DIRECTORY = (
    "a job runs in the mount: write {mountpoint}/sub for a folder in it, {mountpoint2} for the second mount, "
    "{mountpoints} for all"
)
_FILES = "a job's files are in its 'directory': name them without a folder outside"
_LISTED = "fuselab shows 50, 99 and 99.9: have them in the list, or leave it out"
_MEMORY = "it names a file outside the mount: leave out what follows the ':'"
_PATTERN = "it reads a file outside the mount: write the pattern itself"
_MAY_BE: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "group_reporting": (_one_of("1"), _READS),  # as it is anyway, and in nearly every job file there is
    "unified_rw_reporting": (_one_of("0", "none"), _SHAPE),
    "lat_percentiles": (_one_of("1"), _SHAPE),
    "stats": (_one_of("1"), _SHAPE),
    **dict.fromkeys(("disable_lat", "disable_bw_measurement", "gtod_reduce"), (_one_of("0"), _SHAPE)),
    "name": (plain_name, PLAIN),
    "directory": (_in_mount, _DIRECTORY),
    **dict.fromkeys(("filename", "filename_format"), (_in_directory, _FILES)),
    "ioengine": (_plain_engine, _ENGINE),
    **dict.fromkeys(("mem", "iomem"), (lambda text: ":" not in text, _MEMORY)),
    **dict.fromkeys(("buffer_pattern", "verify_pattern"), (lambda text: "'" not in text, _PATTERN)),
    "percentile_list": (_all_percentiles, _LISTED),
}
"""Which values an option may have, and why no others."""
