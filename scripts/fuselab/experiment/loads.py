"""From what the file says to its workloads: one reader for each kind, behind one registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fuselab.experiment import fio_numbers, units
from fuselab.experiment.argvs import check_argv, check_argvs
from fuselab.experiment.findings import Findings
from fuselab.experiment.fio_file import read_job_file
from fuselab.experiment.model import Workload
from fuselab.experiment.yaml_source import Key

GLOBAL = "global"
_READS = "fuselab reads what fio writes"
_OURS = {
    "output": _READS,
    "output-format": _READS,
    "group_reporting": _READS,
    "per_job_logs": _READS,
    "log_avg_msec": _READS,
    "log_unix_epoch": _READS,
    "write_bw_log": _READS,
    "write_lat_log": _READS,
    "randseed": "every block has a seed of its own, from the experiment's 'seed'",
}
"""fio options that the rig sets, and why nobody else may."""
_MOUNT = re.compile(r"\{mountpoint[0-9]*\}(/.*)?")
"""What `directory` may be: a mount of this run, or a folder in it."""


def read_workloads(findings: Findings, data: Mapping[str, Any]) -> tuple[Workload, ...]:
    """All loads in order. One without a kind (a finding already) is left out."""
    found = []
    for name, part in data.get("workloads", {}).items():
        at: Key = ("workloads", name)
        kind = next((kind for kind in READERS if kind in part), None)
        if kind is not None:
            found.append(_workload(findings, at, name, kind, part))
    return tuple(found)


def _workload(findings: Findings, at: Key, name: str, kind: str, part: Mapping[str, Any]) -> Workload:
    given: dict[str, Any] = {}
    if "timeout" in part:
        given["timeout_s"] = units.seconds(part["timeout"])
    if "cache" in part:
        given["cache"] = part["cache"]
    check_argvs(findings, (*at, "prepare"), part.get("prepare"))
    prepare = tuple(
        _step(findings, (*at, "prepare", i), step) for i, step in enumerate(part.get("prepare", ()))
    )
    settings = READERS[kind](findings, (*at, kind), name, part[kind])
    return Workload(name, kind, settings, prepare, **given)


def _text(findings: Findings, at: Key, value: object) -> str:
    return findings.source.texts.get(at, str(value))


def _step(findings: Findings, at: Key, step: Any) -> tuple[str, ...]:
    """An argument list; that of fio where the step is given as fio options."""
    if isinstance(step, list):
        return tuple(_text(findings, (*at, i), word) for i, word in enumerate(step))
    options = _options(findings, (*at, "fio"), step.get("fio", {}))
    words = (f"--{option}={value}" for option, value in options.items())
    return ("fio", "--name=prepare", "--directory=.", *words)


def _options(findings: Findings, at: Key, part: Mapping[str, Any]) -> dict[str, str]:
    """fio's options as text: true and false are 1 and 0 there."""
    options = {}
    for name, value in part.items():
        if isinstance(value, dict | list):
            findings.add((*at, name), f"'{name}' is not an option of one fio job", of_key=True)
            continue
        text = str(int(value)) if isinstance(value, bool) else _text(findings, (*at, name), value)
        reason = refusal(name, text)
        if reason:
            findings.add((*at, name), f"'{name}' cannot be '{text}': {reason}", of_key=True)
        elif not misread(findings, (*at, name), name, text):
            options[name] = text
    return options


def misread(findings: Findings, at: Key, name: str, text: str) -> bool:
    """Whether fio would read this time or size as something else, which is then a finding."""
    fault = fio_numbers.fault(name, text)
    if fault is not None:
        findings.add(at, fault[0], suggestion=fault[1])
    return fault is not None


def refusal(name: str, text: str) -> str | None:
    """Why an option may not be set like this; None if it may."""
    if "\n" in text:
        return "an option is one line"
    if name == "directory" and not _MOUNT.fullmatch(text):
        return "a job runs in the mount: write {mountpoint}/sub for a folder in it, {mountpoint2} for the second mount"
    if name == "filename" and text.startswith(("/", "{mountpoint")):
        return "a job's files are in its 'directory': name them without a folder outside"
    if name == "group_reporting" and text == "1":
        return None  # as it is anyway, and in nearly every job file there is
    return _OURS.get(name)


def _fio(findings: Findings, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    """`{jobs: {section: {option: text}}, global: {option: text}}`."""
    own = {key: value for key, value in part.items() if key not in ("jobs", GLOBAL, "file")}
    shared = _options(findings, (*at, GLOBAL), part.get(GLOBAL, {}))
    if "jobs" in part and "file" in part:
        findings.add((*at, "file"), "'jobs' and 'file' exclude each other: keep one of them", of_key=True)
    for key in own if ("jobs" in part or "file" in part) else ():
        message = f"'{key}' stands beside 'jobs' or 'file': options for every job belong in 'global'"
        findings.add((*at, key), message, of_key=True)
    if "file" in part:
        jobs = _job_file(findings, (*at, "file"), part["file"])
    elif "jobs" in part:
        jobs = {job: _options(findings, (*at, "jobs", job), inner) for job, inner in part["jobs"].items()}
    else:
        jobs = {name: _options(findings, at, own)}
    return {"jobs": jobs, GLOBAL: shared}


def _job_file(findings: Findings, at: Key, written: str) -> dict[str, dict[str, str]]:
    path = findings.source.file.parent / Path(written).expanduser()
    try:
        jobs = read_job_file(path)
    except OSError as error:
        near_files = sorted(p.name for p in path.parent.glob("*.fio"))[:20] if path.parent.is_dir() else []
        message = (
            f"the fio job file '{written}' cannot be read: {error.strerror}; a path is relative to this file"
        )
        findings.add(at, message, allowed=near_files)
        return {}
    except ValueError as error:
        findings.add(at, f"the fio job file '{written}': {error}")
        return {}
    refused = []
    for job, options in jobs.items():
        for option, text in options.items():
            reason = refusal(option, text) or (fio_numbers.fault(option, text) or (None,))[0]
            if reason:
                refused.append(f"[{job}] {option}={text}: {reason}")
    if refused:
        findings.add(at, f"the fio job file '{written}' says what a load may not: " + "; ".join(refused))
    return jobs


def _criterion(findings: Findings, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    args = tuple(_text(findings, (*at, "args", i), word) for i, word in enumerate(part.get("args", ())))
    return {"bench": part.get("bench", ""), "filter": part.get("filter", ""), "args": args}


def _command(findings: Findings, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    check_argv(findings, (*at, "argv"), part.get("argv"))
    argv = tuple(_text(findings, (*at, "argv", i), word) for i, word in enumerate(part.get("argv", ())))
    return {"argv": argv, "expect_exit": part.get("expect_exit", 0)}


ReadSettings = Callable[[Findings, Key, str, Mapping[str, Any]], dict[str, object]]

READERS: dict[str, ReadSettings] = {"fio": _fio, "criterion": _criterion, "command": _command}
"""By kind, as in `fuselab.workloads.REGISTRY`: the settings its module expects, from what the file says."""


def complete_jobs(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Of a fio load: every job by name, with what `global` says for all."""
    return {job: {**settings[GLOBAL], **options} for job, options in settings["jobs"].items()}
