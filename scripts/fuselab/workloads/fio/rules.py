"""What an option of a fio job may not say here, by whichever door it comes: YAML, a job file, a variant, a preparation.

Three kinds: what the rig sets itself; what would change the shape of the output that fuselab reads; and what reaches
outside the mount, or starts a program. Names are fio's own (fio(1)), aliases with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
_ONLY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "group_reporting": (_READS, ("1",)),  # as it is anyway, and in nearly every job file there is
    "unified_rw_reporting": (_SHAPE, ("0", "none")),
    "lat_percentiles": (_SHAPE, ("1",)),
    "stats": (_SHAPE, ("1",)),
    **dict.fromkeys(
        ("disable_lat", "disable_bw_measurement", "gtod_reduce"),
        (_SHAPE, ("0",)),
    ),
}
"""Why, and the values that leave everything as it is."""
_PERCENTILES = frozenset((50.0, 99.0, 99.9))
_FOREIGN = frozenset(
    (
        "dev-dax", "exec", "external", "gfapi", "gfapi_async", "http", "io_uring_cmd", "libblkio", "libhdfs",
        "libiscsi", "libzbc", "mtd", "nbd", "net", "netsplice", "nfs", "null", "rados", "rbd", "rdma", "sg", "xnvme",
    )
)  # fmt: skip
"""Engines that reach over the network or to devices, run programs, or do nothing at all. fio may look for one of
another name in its own folder: what is no plain word may be a library anywhere."""
_MOUNT = re.compile(r"\{mountpoint[0-9]*\}(/.*)?")
"""What `directory` may be: a mount of this run, or a folder in it."""
_PARTS = re.compile(r"\$(?:jobname|jobnum|filenum|clientuid)\b")
PLAIN = "a job's name has letters, digits, spaces and _ . - in it"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Fault:
    """Why an option may not be what is written, with the right spelling where one is meant."""

    reason: str
    mend: str | None = None
    of_value: bool = False
    """Whether fio reads another value than is written; otherwise the option may not stand there like that."""


def refusal(name: str, text: str) -> str | None:
    """Why an option may not be set like this; None if it may."""
    name = name.lower()
    if "\n" in text:
        return "an option is one line"
    if _CONTROL.search(text):
        return "it holds a control character, and fio would write that into its results: leave it out"
    if "$" in (_PARTS.sub("", text) if name == "filename_format" else text):
        return (
            "fio would put something else in its place, of this machine or its environment: write the value"
        )
    if name in _ONLY and text not in _ONLY[name][1]:
        return _ONLY[name][0]
    if name in _RULES:
        return _RULES[name](text)
    return _REFUSED.get(name)


def plain_name(job: str) -> bool:
    """Whether a job may be called so: fio makes paths of the names of its jobs, and JSON."""
    return bool(re.fullmatch(r"[A-Za-z0-9_. +,=()%-]+", job)) and ".." not in job


def _name(text: str) -> str | None:
    return None if plain_name(text) else PLAIN


def _outside(text: str) -> bool:
    """Whether one of fio's paths (`a:b`; a colon in a name is `\\:`) leads out of the folder it is in."""
    paths = re.split(r"(?<!\\):", text)
    return any(path.startswith("/") or ".." in path.split("/") for path in paths)


def _directory(text: str) -> str | None:
    if all(_MOUNT.fullmatch(part) and ".." not in part.split("/") for part in re.split(r"(?<!\\):", text)):
        return None
    return "a job runs in the mount: write {mountpoint}/sub for a folder in it, {mountpoint2} for the second mount"


def _files(text: str) -> str | None:
    if _outside(text) or text.startswith("{mountpoint"):
        return "a job's files are in its 'directory': name them without a folder outside"
    return None


def _engine(text: str) -> str | None:
    if re.fullmatch(r"[a-z0-9_-]+", text) and text not in _FOREIGN:
        return None
    return "a load does its I/O on files of the mount: sync, psync, libaio, io_uring and mmap do"


def _memory(text: str) -> str | None:
    return "it names a file outside the mount: leave out what follows the ':'" if ":" in text else None


def _pattern(text: str) -> str | None:
    return "it reads a file outside the mount: write the pattern itself" if "'" in text else None


def _percentiles(text: str) -> str | None:
    shares = {float(word) for word in re.findall(r"[0-9]+(?:\.[0-9]+)?", text)}
    return (
        None
        if shares >= _PERCENTILES
        else "fuselab shows 50, 99 and 99.9: have them in the list, or leave it out"
    )


_RULES = {
    "name": _name,
    "directory": _directory,
    "filename": _files,
    "filename_format": _files,
    "ioengine": _engine,
    "mem": _memory,
    "iomem": _memory,
    "buffer_pattern": _pattern,
    "verify_pattern": _pattern,
    "percentile_list": _percentiles,
}
