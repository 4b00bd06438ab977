"""Loads on a target that can only be read: they name a file that is there, and only read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuselab.experiment.model import Variant, Workload
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key
from fuselab.targets.model import Target
from fuselab.workloads.fio.options import complete_jobs
from fuselab.workloads.fio.timing import mode

_READS = ("read", "randread")


def check_read_only(
    diagnostics: Diagnostics,
    loads: tuple[Workload, ...],
    variants: Mapping[str, Variant],
    targets: Mapping[str, Target],
) -> None:
    frozen = [v for v in variants.values() if targets[v.target].mount.read_only]
    for workload in loads:
        at: Key = ("workloads", workload.name, "fio")
        if workload.kind != "fio":
            continue
        for variant in frozen:
            settings: Mapping[str, Any] = workload.for_variant(variant).settings
            for job, options in complete_jobs(settings).items():
                _check(diagnostics, at, workload.name, job, options, variant.target)


def _check(
    diagnostics: Diagnostics, at: Key, workload: str, job: str, options: Mapping[str, str], target: str
) -> None:
    who = f"'{workload}'" if job == workload else f"the job '{job}' of '{workload}'"
    if mode(options) not in _READS:
        message = f"{who} writes, and '{target}' is read-only: 'rw' is read or randread here"
        diagnostics.add(at, message, of_key=True, allowed=_READS)
    elif "filename" not in options:  # fio then makes its own
        message = f"{who} names no file, and fio can make none on '{target}', which is read-only: "
        message += "add 'filename: NAME', a file that the target's 'prepare' makes"
        diagnostics.add(at, message, of_key=True)
