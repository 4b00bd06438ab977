"""What cannot be, of fio loads that are read: what fio does not take, what a read-only target or a variant forbids."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics, near
from fuselab.schema.yaml_source import Key
from fuselab.targets import placeholders
from fuselab.workloads.base import CheckContext, PlaceOf, Settings
from fuselab.workloads.fio.complaints import Complaint, complaints
from fuselab.workloads.fio.options import as_fio_reads, judged, place
from fuselab.workloads.fio.timing import Options, complete_jobs, mode, overlaid

_READS = ("read", "randread")
_SIZED = ("size", "filesize", "fill_device", "filename")
"""What tells fio how much there is to do; a file that is there already has a size of its own."""
_MIXED = {"read": "rw", "write": "rw", "randread": "randrw", "randwrite": "randrw"}
"""Modes that go in one direction -> the one that goes in both."""
_MODE = "it decides what is measured; make it a load of its own"


def check(diagnostics: Diagnostics, at: Key, settings: Settings, context: CheckContext) -> None:
    """Every job as fio will get it. What the schema found already is not said again in fio's words."""
    for target, own in context.by_variant.values():
        if target.mount.read_only:
            for job, options in complete_jobs(own).items():
                _check_reads_only(diagnostics, at, job, options, target.name)
    jobs = complete_jobs(settings)
    for job, said in complaints(settings).items():
        for complaint in said:
            where = place(diagnostics, at, job, complaint.option)
            _complain(diagnostics, where, complaint, jobs[job].get(complaint.option or "", ""))
    for job, options in jobs.items():
        check_sense(diagnostics, partial(place, diagnostics, at, job), options)
    for own in [own for _, own in context.by_variant.values()] or [settings]:
        for job, options in complete_jobs(own).items():
            check_size(diagnostics, place(diagnostics, at, job, None), options)
    if (*at, "file") in diagnostics.source.keys:
        for options in jobs.values():
            placeholders.check_load(diagnostics, (*at, "file"), options.get("directory"), context.mounts)


def check_size(diagnostics: Diagnostics, at: Key, options: Options) -> None:
    """Of one complete job: whether fio will know how much there is to do."""
    if not any(name in options for name in _SIZED) and not diagnostics.broken_below(at):
        message = (
            "a job without a size, which fio refuses when it runs: add how much it works on, say 'size: 64m'"
        )
        diagnostics.add(at, message, of_key=True)


def check_sense(diagnostics: Diagnostics, place_of: PlaceOf, options: Options) -> None:
    """Of one complete job: what fio takes when it is asked, and refuses or leaves out of account when it runs."""
    size, *blocks = units.amounts([options.get("size", ""), *options.get("bs", "").split(",")])
    if size and "%" not in options["size"] and all(block and block > size for block in blocks):
        message = f"a block of {options['bs']} does not fit into a size of {options['size']}, and fio refuses that when"
        diagnostics.add(place_of("bs"), f"{message} it runs: make 'size' larger, or 'bs' smaller")
    if "%" in options.get("size", "") and not {"filesize", "filename"} & {*options}:
        message = f"{options['size']} of a file that this job makes itself, which fio refuses when it runs"
        diagnostics.add(place_of("size"), f"{message}: write a size, say 64m, or name a 'filesize' beside it")
    for name in ("rate", "rate_iops"):
        if options.get(name, "").startswith("-"):
            message = (
                f"a rate of {options[name]}, at which fio never begins: write more than 0, or leave it out"
            )
            diagnostics.add(place_of(name), message)
    both = _MIXED.get(mode(options))
    for name in ("rwmixread", "rwmixwrite"):
        if name in options and both:
            message = f"'{name}' mixes reads and writes, and fio leaves it out of account where 'rw' is {mode(options)}"
            diagnostics.add(place_of(name), f"{message}: leave it out, or write 'rw: {both}'", of_key=True)


def _check_reads_only(diagnostics: Diagnostics, at: Key, job: str, options: Options, target: str) -> None:
    """A job on a target that can only be read names a file that is there, and only reads it."""
    workload = str(at[-2])
    who = f"'{workload}'" if job == workload else f"the job '{job}' of '{workload}'"
    if mode(options) not in _READS:
        message = f"{who} writes, and '{target}' is read-only: 'rw' is read or randread here"
        diagnostics.add(at, message, of_key=True, allowed=_READS)
    elif "filename" not in options:  # fio then makes its own
        message = f"{who} names no file, and fio can make none on '{target}', which is read-only: "
        message += "add 'filename: NAME', a file that the target's 'prepare' makes"
        diagnostics.add(at, message, of_key=True)


_CALLED = {
    "bsize": "bs",
    "block_size": "bs",
    "file_size": "filesize",
    "queue_depth": "iodepth",
    "threads": "numjobs",
    "duration": "runtime",
}
"""What others call options of fio, where the nearest spelling is another option."""
_SWITCHED = {"yes": "1", "on": "1", "true": "1", "no": "0", "off": "0", "false": "0"}


def _complain(diagnostics: Diagnostics, where: Key, complaint: Complaint, written: str) -> None:
    """What fio says of an option whose value is `written`, with the nearest right spelling."""
    if complaint.of_value:
        # Of a switch fio lists no values, and `yes` is text to YAML 1.2.
        close = near(written, complaint.allowed) if complaint.allowed else _SWITCHED.get(written.lower())
        complaint = replace(complaint, suggestion=close)
    elif complaint.option in _CALLED:
        complaint = replace(complaint, suggestion=_CALLED[complaint.option])
    elif complaint.suggestion and diagnostics.source.keys.get((*where[:-1], complaint.suggestion)):
        complaint = replace(complaint, suggestion=None)  # which is there as well
    diagnostics.add(
        where,
        complaint.told,
        of_key=not complaint.of_value,
        allowed=complaint.allowed,
        suggestion=complaint.suggestion if diagnostics.source.keys.get(where) else None,
    )


def check_own(
    diagnostics: Diagnostics, place_of: PlaceOf, own: Mapping[str, str], loads: Sequence[Settings]
) -> None:
    """Options of one variant: taken by fio in every job that they are laid over, and called by fio's own names."""
    asked = dict(own)
    for name, text in own.items():
        if name in ("rw", "readwrite"):
            diagnostics.add(place_of(name), f"'{name}' cannot be '{text}' here: {_MODE}", of_key=True)
        if judged(diagnostics, place_of(name), name, text):
            del asked[name]
    for settings in loads:
        for complaint in itertools.chain(*complaints(overlaid(settings, asked)).values()):
            if complaint.option is not None and complaint.option in asked:
                _complain(diagnostics, place_of(complaint.option), complaint, asked[complaint.option])
    for settings in loads if {"bs", "size", "rwmixread", "rwmixwrite"} & {*own} else ():
        for options in complete_jobs(overlaid(settings, asked)).values():
            check_sense(diagnostics, lambda name: place_of(name) if name in own else place_of(), options)
    if not diagnostics.broken_below(place_of()):
        _check_names(diagnostics, place_of, asked)


def _check_names(diagnostics: Diagnostics, place_of: PlaceOf, own: Mapping[str, str]) -> None:
    """Options are laid over others by name: fio's own name for each, not an alias of it."""
    read = as_fio_reads(diagnostics, {"variant": own}, lambda _, option: place_of(option))["variant"]
    for name in [name for name in own if name not in read]:
        fios = next((other for other in read if other not in own), None)
        if fios is not None:
            message = f"fio's own name for '{name}' is '{fios}': write that"
            diagnostics.add(place_of(name), message, of_key=True, suggestion=fios)
