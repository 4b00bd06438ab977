"""fio's options in an experiment, by whichever door they come: as YAML, as a job file, as a step of `prepare`.

What is written is judged first (nothing that a load may not say is given to fio), then what fio itself reads of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fuselab import foreign
from fuselab.schema.diagnostics import Diagnostics
from fuselab.schema.yaml_source import Key
from fuselab.workloads.fio import complaints, job_file, meaning, parse_only, rules
from fuselab.workloads.fio.numbers import Fault
from fuselab.workloads.fio.parse_only import Section

GLOBAL = "global"
PlaceOf = Callable[[str, str], Key]
"""(section, option as written) -> where it stands in the YAML file."""


def read(diagnostics: Diagnostics, at: Key, name: str, part: Mapping[str, Any]) -> dict[str, object]:
    """`{jobs: {section: {option: text}}, global: {option: text}}`, options by fio's own names."""
    own = {key: value for key, value in part.items() if key not in ("jobs", GLOBAL, "file")}
    shared = _options(diagnostics, (*at, GLOBAL), part.get(GLOBAL, {}))
    if "jobs" in part and "file" in part:
        diagnostics.add((*at, "file"), "'jobs' and 'file' exclude each other: keep one of them", of_key=True)
    for key in own if ("jobs" in part or "file" in part) else ():
        message = f"'{key}' stands beside 'jobs' or 'file': options for every job belong in 'global'"
        diagnostics.add((*at, key), message, of_key=True)
    if "file" in part:
        jobs = _job_file(diagnostics, (*at, "file"), part["file"])
    elif "jobs" in part:
        jobs = {job: _options(diagnostics, (*at, "jobs", job), inner) for job, inner in part["jobs"].items()}
    else:
        jobs = {name: _options(diagnostics, at, own)}
    settings = as_fio_reads(
        diagnostics, {GLOBAL: shared, **jobs}, lambda job, option: place(diagnostics, at, job, option)
    )
    return {
        "jobs": {job: options for job, options in settings.items() if job != GLOBAL},
        GLOBAL: settings[GLOBAL],
    }


def step(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> tuple[str, ...]:
    """The command line of a preparation that is given as options of one job."""
    options = _options(diagnostics, at, part)
    for complaint in complaints.of_job(options):
        known = complaint.option is not None and complaint.option in part
        where = (*at, complaint.option) if known and complaint.option else at
        diagnostics.add(where, complaint.told, of_key=True)
    taken = as_fio_reads(diagnostics, {"prepare": options}, lambda _, option: (*at, option))
    words = (f"--{option}={value}" for option, value in taken["prepare"].items())
    return ("fio", "--name=prepare", "--directory=.", *words)


def _options(diagnostics: Diagnostics, at: Key, part: Mapping[str, Any]) -> dict[str, str]:
    """fio's options as text: true and false are 1 and 0 there. Those that may not be so are left out."""
    options = {}
    for name, value in part.items():
        if isinstance(value, dict | list):
            diagnostics.add((*at, name), f"'{name}' is not an option of one fio job", of_key=True)
            continue
        text = str(int(value)) if isinstance(value, bool) else diagnostics.source.text((*at, name), value)
        if not judged(diagnostics, (*at, name), name, text):
            options[name] = text
    return options


def judged(diagnostics: Diagnostics, at: Key, name: str, text: str) -> bool:
    """Whether an option may not be `text`, which is then a diagnostic."""
    fault = rules.fault(name, text)
    if fault is not None:
        _add(diagnostics, at, name, text, fault)
    return fault is not None


def _add(diagnostics: Diagnostics, at: Key, name: str, text: str, fault: Fault) -> None:
    message = fault.reason if fault.of_value else f"'{name}' cannot be '{foreign.name(text)}': {fault.reason}"
    diagnostics.add(at, message, of_key=not fault.of_value, suggestion=fault.mend)


def as_fio_reads(
    diagnostics: Diagnostics, parts: Mapping[str, Mapping[str, str]], place_of: PlaceOf
) -> dict[str, dict[str, str]]:
    """Sections as fio reads them, each option by fio's own name; as they are where fio cannot be asked.

    What fio takes for something else than what is written is a diagnostic.
    """
    same = {name: dict(options) for name, options in parts.items()}
    for job in [job for job in parts if job != GLOBAL and Section(job).shared]:
        message = f"fio takes '{job}' for options of all jobs, as every name that begins with 'global': call it else"
        diagnostics.add(place_of(job, ""), message, of_key=True)
        return same
    read = parse_only.sections(parse_only.job_text(parts))
    if read is None:
        return same
    if [section.name for section in read] != list(parts):
        names = ", ".join(f"'{section.name}'" for section in read)
        diagnostics.add(
            place_of(next(iter(parts)), ""), f"fio reads other names of these jobs: {names}", of_key=True
        )
        return same
    return {section.name: _section(diagnostics, parts[section.name], section, place_of) for section in read}


def _section(
    diagnostics: Diagnostics, part: Mapping[str, str], section: Section, place_of: PlaceOf
) -> dict[str, str]:
    names = meaning.other_names(part, section)
    found = {}
    for name, text in part.items():
        at = place_of(section.name, name)
        if name not in names or section.options[names[name]].value != text.strip():
            left = [
                taken for other, taken in section.options.items() if other not in (*part, *names.values())
            ]
            read = section.options.get(name) or (left[0] if len(left) == 1 else None)
            mend = None if read is None else read.value
            diagnostics.add(
                at, f"fio reads '{'nothing' if mend is None else mend}' of '{text}'", suggestion=mend
            )
            continue
        taken = section.options[names[name]]
        fault = meaning.misunderstood(names[name], taken)
        if fault is not None:
            if at[-1:] == ("file",):
                diagnostics.add(at, f"[{section.name}] {name}={text}: {fault.reason}")
            else:
                _add(diagnostics, at, name, text, fault)
        found[names[name]] = meaning.settled(names[name], taken)
    return found


def _job_file(diagnostics: Diagnostics, at: Key, name: str) -> dict[str, dict[str, str]]:
    path = diagnostics.source.file.parent / Path(name).expanduser()
    try:
        return job_file.read(path)
    except OSError as error:
        near_files = sorted(p.name for p in path.parent.glob("*.fio"))[:20] if path.parent.is_dir() else []
        message = (
            f"the fio job file '{name}' cannot be read: {error.strerror}; a path is relative to this file"
        )
        diagnostics.add(at, message, allowed=near_files)
    except UnicodeDecodeError as error:
        diagnostics.add(at, f"the fio job file '{name}' is not UTF-8 text ({error.reason})")
    except ValueError as error:
        diagnostics.add(at, f"the fio job file '{name}': {error}")
    return {}


def place(diagnostics: Diagnostics, at: Key, job: str, option: str | None) -> Key:
    """Where the option stands: in the job, in `global`, among the load's own, or in a file of its own."""
    if option:
        for found in ((*at, "jobs", job, option), (*at, GLOBAL, option), (*at, option)):
            if found in diagnostics.source.keys:
                return found
    own = (*at, "file") if (*at, "file") in diagnostics.source.keys else (*at, "jobs", job)
    return own if own in diagnostics.source.keys else at
